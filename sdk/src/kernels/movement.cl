/* movement.cl — gather and scatter along one axis, a work-item for each row of the result.
 * x [outer][size][inner], index [many]; indices are whole numbers, clamped to the axis. */
int row_of(global const float *index, int k, int size)
{
    return clamp((int)index[k], 0, size - 1);
}

kernel void gather(global float *y, global const float *x, global const float *index, int rows, int size, int many,
                   int inner)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    global const float *from = x + (row / many * size + row_of(index, row % many, size)) * inner;
    global float *to = y + row * inner;
    int i = 0;
    for (; i + 16 <= inner; i += 16)
        vstore16(vload16(0, from + i), 0, to + i);
    for (; i < inner; i++)
        to[i] = from[i];
}

/* The rows of x that go to one row of y are added in the order of the index: no atomics, the same every run. */
kernel void scatter_add(global float *y, global const float *x, global const float *index, int rows, int size,
                        int many, int inner)
{
    int row = get_global_id(0);
    if (row >= rows)
        return;
    int place = row % size;
    global const float *from = x + row / size * many * inner;
    global float *to = y + row * inner;
    for (int i = 0; i < inner; i++)
        to[i] = 0.0f;
    for (int k = 0; k < many; k++) {
        if (row_of(index, k, size) != place)
            continue;
        int i = 0;
        for (; i + 16 <= inner; i += 16)
            vstore16(vload16(0, to + i) + vload16(0, from + k * inner + i), 0, to + i);
        for (; i < inner; i++)
            to[i] += from[k * inner + i];
    }
}

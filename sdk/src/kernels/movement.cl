/* movement.cl — gather and scatter along one axis, a work-item for `width` elements of a row of the result: the
 * whole row on CPUs, one element on GPUs. x [outer][size][inner], index [many]; indices are whole numbers, clamped to the axis. */
int row_of(global const float *index, int k, int size)
{
    return clamp((int)index[k], 0, size - 1);
}

kernel void gather_rows(global float *y, global const float *x, global const float *index, int items, int size, int many,
                   int inner, int width)
{
    int item = get_global_id(0);
    if (item >= items)
        return;
    int row = item / (inner / width), first = item % (inner / width) * width;
    global const float *from = x + (row / many * size + row_of(index, row % many, size)) * inner + first;
    global float *to = y + row * inner + first;
    int i = 0;
    for (; i + 16 <= width; i += 16)
        vstore16(vload16(0, from + i), 0, to + i);
    for (; i < width; i++)
        to[i] = from[i];
}

/* The rows of x that go to one row of y are added in the order of the index: no atomics, the same every run. */
kernel void scatter_rows(global float *y, global const float *x, global const float *index, int items, int size,
                        int many, int inner, int width)
{
    int item = get_global_id(0);
    if (item >= items)
        return;
    int row = item / (inner / width), first = item % (inner / width) * width, place = row % size;
    global const float *from = x + row / size * many * inner + first;
    global float *to = y + row * inner + first;
    for (int i = 0; i < width; i++)
        to[i] = 0.0f;
    for (int k = 0; k < many; k++) {
        if (row_of(index, k, size) != place)
            continue;
        int i = 0;
        for (; i + 16 <= width; i += 16)
            vstore16(vload16(0, to + i) + vload16(0, from + k * inner + i), 0, to + i);
        for (; i < width; i++)
            to[i] += from[k * inner + i];
    }
}

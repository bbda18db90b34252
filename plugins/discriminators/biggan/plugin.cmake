# Spectral norm, attention and labels are the generator's.
target_sources(${target} PRIVATE ${folder}/../../generators/biggan/layers.c)
target_include_directories(${target} PRIVATE ${folder}/../../generators/biggan)

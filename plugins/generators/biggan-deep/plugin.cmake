# The labels and the attention are BigGAN's.
target_sources(${target} PRIVATE ${folder}/../biggan/layers.c)
target_include_directories(${target} PRIVATE ${folder}/../biggan)

# Normalisation, labels and truncation are StyleGAN2's.
target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/plugins/generators/stylegan2/layers.c)
target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/plugins/generators/stylegan2)

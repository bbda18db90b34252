# Layers and labels are those of the generator.
target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/plugins/generators/stylegan2/layers.c)
target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/plugins/generators/stylegan2)

# The density module is DP-LaSE's.
target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/plugins/methods/dp-lase/density.c ${PROJECT_SOURCE_DIR}/plugins/methods/dp-lase/layers.c)

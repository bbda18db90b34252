# The sphere is the walk's, the descent latent-recovery's.
target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/plugins/methods/great-circle-walk/sphere.c
    ${PROJECT_SOURCE_DIR}/plugins/methods/latent-recovery/descent.c)

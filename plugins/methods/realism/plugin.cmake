# The sphere is the walk's, the descent latent-recovery's; protoimage knows whether a critic looks at variety.
target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/plugins/methods/great-circle-walk/sphere.c
    ${PROJECT_SOURCE_DIR}/plugins/methods/latent-recovery/descent.c
    ${PROJECT_SOURCE_DIR}/plugins/methods/protoimage/variety.c)

# All traversals share one loop, and those along the Local Basis how a vector of it is chosen.
target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/plugins/methods/linear-traversal/traversal.c
    ${PROJECT_SOURCE_DIR}/plugins/methods/local-basis/basis.c)

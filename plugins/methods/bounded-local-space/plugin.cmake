# All traversals share one loop.
target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/plugins/methods/linear-traversal/traversal.c)

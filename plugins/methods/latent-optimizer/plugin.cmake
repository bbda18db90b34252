# The projection is Bounded Local Space's own.
target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/plugins/methods/bounded-local-space/bounds.c)

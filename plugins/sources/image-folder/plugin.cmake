target_link_libraries(${target} PRIVATE PkgConfig::ZIP Threads::Threads)

# What third parties need to build plugins against the installed SDK: a CMake package and a pkg-config file.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/latentwalk)
set_target_properties(liblatentwalk PROPERTIES EXPORT_NAME latentwalk)
install(EXPORT latentwalk FILE latentwalkTargets.cmake NAMESPACE latentwalk:: DESTINATION ${package_dir})
configure_package_config_file(${CMAKE_CURRENT_SOURCE_DIR}/cmake/latentwalkConfig.cmake.in
    ${CMAKE_CURRENT_BINARY_DIR}/latentwalkConfig.cmake INSTALL_DESTINATION ${package_dir}
    PATH_VARS CMAKE_INSTALL_BINDIR)
# A plugin of the same ABI major works: before 1.0 the minor version counts.
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/latentwalkConfigVersion.cmake
    VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/latentwalkConfig.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/latentwalkConfigVersion.cmake DESTINATION ${package_dir})

# Configured when installing, since `cmake --install --prefix` may choose another prefix than was configured.
install(CODE "
    set(CMAKE_INSTALL_LIBDIR \"${CMAKE_INSTALL_LIBDIR}\")
    set(CMAKE_INSTALL_INCLUDEDIR \"${CMAKE_INSTALL_INCLUDEDIR}\")
    set(LATENTWALK_PLUGIN_DIR \"${LATENTWALK_PLUGIN_DIR}\")
    set(PROJECT_VERSION \"${PROJECT_VERSION}\")
    configure_file(\"${CMAKE_CURRENT_SOURCE_DIR}/cmake/latentwalk.pc.in\"
        \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/pkgconfig/latentwalk.pc\" @ONLY)")

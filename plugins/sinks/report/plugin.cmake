# The page's style and script and the installed Chart.js (Debian: libjs-chart.js) become part of the plugin.
find_file(CHARTJS NAMES Chart.min.js chart.min.js chart.umd.js REQUIRED
    PATHS /usr/share/javascript/chart.js /usr/share/javascript/chartjs DOC "Chart.js, for the report's curves")
set(assets ${CMAKE_CURRENT_BINARY_DIR}/report_assets.c)
add_custom_command(OUTPUT ${assets}
    COMMAND ${CMAKE_COMMAND} -D CSS=${folder}/page.css -D JS=${folder}/page.js -D CHART=${CHARTJS} -D OUT=${assets}
            -P ${folder}/embed.cmake
    DEPENDS ${folder}/page.css ${folder}/page.js ${folder}/embed.cmake ${CHARTJS} VERBATIM)
target_sources(${target} PRIVATE ${assets})
target_include_directories(${target} PRIVATE ${folder})
target_link_libraries(${target} PRIVATE PkgConfig::JANSSON)

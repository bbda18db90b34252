# The linear SVM is LIBSVM's, the solver behind scikit-learn's SVC, which the official code uses.
find_path(SVM_INCLUDE svm.h PATH_SUFFIXES libsvm REQUIRED)
find_library(SVM_LIBRARY svm REQUIRED)
target_include_directories(${target} PRIVATE ${SVM_INCLUDE})
target_link_libraries(${target} PRIVATE ${SVM_LIBRARY})

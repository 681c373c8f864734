# What render.sh has Doxygen render of the C++ headers, as docs/Doxyfile, but for:
@INCLUDE               = docs/Doxyfile
OUTPUT_DIRECTORY       = build/docs/cpp
INPUT                  = include/masstree.hpp include/masstree
FILE_PATTERNS          = *.hpp
USE_MDFILE_AS_MAINPAGE =
OPTIMIZE_OUTPUT_FOR_C  = NO

# Nothing is without a comment; parameters are in the sentence on the function.
WARN_NO_PARAMDOC       = NO

# What users do not name.
EXCLUDE_SYMBOLS        = masstree::detail* std* MASSTREE_*_HPP

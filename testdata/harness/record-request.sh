#!/bin/sh
# A plugin that generates nothing: writes the request on standard input to a new file in the directory that it is given.
cat > "$1/$$.bin"

# A CodeGeneratorResponse without files: supported_features 3 (optional fields
# and editions), minimum_edition 998 (proto2), maximum_edition 1001 (2024).
printf '\020\003\030\346\007\040\351\007'

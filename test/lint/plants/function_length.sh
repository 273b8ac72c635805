#!/bin/sh
mkdir -p src/base && { echo 'planted(void)'; echo '{'; yes '	;' | head -n 101; echo '}'; } > src/base/long.c

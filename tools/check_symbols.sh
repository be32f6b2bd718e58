#!/bin/sh
# The shared library exports mmood_* and nothing else.
#   check_symbols.sh LIBRARY
names=$(nm -D --defined-only "$1" | awk '{print $3}' | sed 's/@.*//')
[ -n "$names" ] || { echo "$1 exports nothing"; exit 1; }
others=$(echo "$names" | grep -v '^mmood_')
[ -z "$others" ] || { echo "exported, but not mmood_*:"; echo "$others"; exit 1; }

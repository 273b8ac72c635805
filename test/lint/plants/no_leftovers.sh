#!/bin/sh
printf '/* %s%s: planted */\n' TO DO > planted

#!/bin/sh
printf 'from https://%s.%s.org/planted\n' registry example > planted

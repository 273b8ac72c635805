#!/bin/sh
printf 'see /%s/somebody/planted\n' home > planted

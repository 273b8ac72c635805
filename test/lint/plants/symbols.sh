#!/bin/sh
echo 'void _PG_init(void); void planted(void); void _PG_init(void) {} void planted(void) {}' |
	gcc -shared -fPIC -x c -o pgseal.so -

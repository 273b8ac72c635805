# columns.awk: the ring's columns, from src/keys/keys.sql, as rows of a C table:
# {table, name, type, not null}.  Subjects are no rows of the ring.
BEGIN {
	type["boolean"] = "BOOLOID"; type["smallint"] = "INT2OID"; type["integer"] = "INT4OID"
	type["bigint"] = "INT8OID"; type["oid"] = "OIDOID"; type["regrole"] = "REGROLEOID"
	type["name"] = "NAMEOID"; type["text"] = "TEXTOID"; type["text[]"] = "TEXTARRAYOID"
	type["regclass"] = "REGCLASSOID"; type["name[]"] = "NAMEARRAYOID"; type["bigint[]"] = "INT8ARRAYOID"
	type["bytea"] = "BYTEAOID"; type["timestamptz"] = "TIMESTAMPTZOID"
}
/^CREATE TABLE seal\.(subject|admission) / { table = ""; next }
/^CREATE TABLE seal\./ { table = toupper(substr($3, 6)); sub(/^RING_/, "", table); next }
/^COMMENT/ { table = "" }
table != "" && /^  [a-z]/ {
	split($2, word, /[,)]/)
	printf "{RING_%s, \"%s\", %s, %s},\n", table, $1, type[word[1]], /NOT NULL|PRIMARY KEY/ ? "true" : "false"
}

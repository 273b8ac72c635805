# verdicts.sh: counts checks that are commands.  Sourced by bash scripts.
passed=0 failed=0

# count COMMAND [ARG...]: runs it; it passes when its exit status is 0.
count()
{
	if "$@"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
}

close_count()
{
	echo "$passed passed, $failed failed, 0 skipped"
	[ "$failed" -eq 0 ]
}

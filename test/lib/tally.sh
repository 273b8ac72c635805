# tally.sh: runs suites and adds up what they counted.  Sourced by bash scripts.
#
# A suite is a command.  Its last line is `N passed, N failed, N skipped`; for
# each skip it also prints a line `skip: TEST: REASON`.  A suite fails as such,
# which counts as one failed test, when
#	- it ends, or is stopped, without that line
#	- it ran no test
#	- its exit status says that something failed, its count does not
#	- it skipped something that test/SKIPS does not list as `SUITE: TEST: REASON`
#	- its private server crashed.
#
# Uses PGSEAL_WORK (logs go to PGSEAL_WORK/log) and suite_seconds.

passed=0 failed=0 skipped=0
skips_file=test/SKIPS
suite_seconds=${suite_seconds:-600}

add_to_totals()
{
	((passed += $1, failed += $2, skipped += $3))
	return 0
}

close_tally()
{
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}

# stop_suite: for a trap; the signal reaches the suite's whole process group.
stop_suite()
{
	kill "$suite_process"
	wait "$suite_process"
	exit 143
}

# run_suite SUITE COMMAND [ARG...]
run_suite()
{
	local suite=$1 log=$PGSEAL_WORK/log/$1.log started=$SECONDS
	shift
	timeout --kill-after=30 "$suite_seconds" "$@" >"$log" 2>&1 </dev/null &
	suite_process=$!
	wait "$suite_process"
	judge_suite "$suite" "$log" $? $((SECONDS - started))
}

# judge_suite SUITE LOG EXIT_STATUS SECONDS: counts a suite that has ended.
judge_suite()
{
	local suite=$1 log=$2 counts problems
	counts=$(read_counts "$log")
	problems=$(list_problems "$suite" "$log" "$3" $counts)

	local p f s
	read -r p f s <<<"${counts:-0 0 0}"
	[ -z "$problems" ] || ((f += $(wc -l <<<"$problems")))
	add_to_totals "$p" "$f" "$s"

	[ "$f" -eq 0 ] || show_log "$suite" "$log"
	[ -z "$problems" ] || sed "s/^/$suite: /" <<<"$problems"
	printf '%-10s %5d passed %4d failed %4d skipped %5d s\n' "$suite" "$p" "$f" "$s" "$4"
}

# The three numbers of a closing line, or nothing.
read_counts()
{
	tail -n 1 "$1" | sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p'
}

# list_problems SUITE LOG EXIT_STATUS [PASSED FAILED SKIPPED]: one a line.
list_problems()
{
	local suite=$1 log=$2 status=$3
	if [ $# -eq 3 ]; then
		echo "ended without its count, exit status $status$([ "$status" -ne 124 ] || echo ": stopped after $suite_seconds s")"
	else
		[ $(($4 + $5)) -gt 0 ] || echo "ran no test"
		[ "$status" -eq 0 ] || [ "$5" -gt 0 ] || echo "counted no failure, but its exit status is $status"
		list_skip_problems "$suite" "$log" "$6"
	fi
	grep -sE -m 1 'terminated by (signal|exception)|PANIC:' "${log%.log}.server.log" || true
}

list_skip_problems()
{
	local named
	named=$(sed -n 's/^skip: //p' "$2")
	[ "$(grep -c . <<<"$named")" -eq "$3" ] || echo "skipped $3 tests, but names $(grep -c . <<<"$named")"
	[ -z "$named" ] || sed "s/^/$1: /" <<<"$named" |
		grep -vxFf <(grep -v '^#' "$skips_file" | grep .) | sed 's/^/skip that test\/SKIPS does not list: /'
}

show_log()
{
	echo "---- $1: the end of $(basename "$2")"
	tail -n 200 "$2"
	echo "----"
}

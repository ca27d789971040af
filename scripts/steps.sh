# shellcheck shell=bash
# Steps of a longer run: one line each, what a failed one wrote, a summary at the end.
# To source after lib.sh.

steps_passed=0
steps_failed=()
steps_work=$(mktemp --directory)
trap 'rm --recursive --force -- "$steps_work"' EXIT

# Runs a command and says how it went: step NAME COMMAND…
# With `shown=1` in front, what it writes is shown as it comes.
step() {
  local name=$1 began=$EPOCHREALTIME log=$steps_work/log status
  shift
  # Not in a condition: there, `set -e` would not end a step at its first failure.
  set +e
  if [[ -n ${shown-} ]]; then
    (set -e; "$@") >&2 </dev/null
    status=$?
    : >"$log"
  else
    (set -e; "$@") &>"$log" </dev/null
    status=$?
  fi
  set -e
  local took
  took=$(awk "BEGIN { printf \"%6.1f s\", $EPOCHREALTIME - $began }")
  if [[ $status -eq 0 ]]; then
    say "ok      $took  $name"
    steps_passed=$((steps_passed + 1))
  else
    cat "$log" >&2
    say "FAILED  $took  $name"
    steps_failed+=("$name")
  fi
}

# Says why a step is left out: skip NAME REASON
skip() { say "skipped           $1: $2"; }

# Ends the script.
closing_summary() {
  if [[ ${#steps_failed[@]} -gt 0 ]]; then
    say "${0##*/}: ${#steps_failed[@]} failed, $steps_passed passed:"
    printf '  %s\n' "${steps_failed[@]}" >&2
    exit 1
  fi
  say "${0##*/}: all $steps_passed steps passed"
}

#!/usr/bin/env bash
# Changes the status of a report and prints its new state, or why the server refused (then it exits 1). Needs only curl.
set -euo pipefail

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

readonly json_string='"([^"\\]|\\.)*"'

# json_member NAME BODY: the string NAME of a flat JSON object, \" and \\ undone; fails when there is none. Control
# characters become blanks, whoever answered, since the text goes to a terminal.
json_member() {
  [[ $2 =~ \"$1\"[[:space:]]*:[[:space:]]*($json_string) ]] || return 1
  local text="${BASH_REMATCH[1]:1:-1}"
  text="${text//\\\"/\"}"
  text="${text//\\\\/\\}"
  printf '%s' "${text//[[:cntrl:]]/ }"
}

json_quoted() {
  local text="${1//\\/\\\\}"
  printf '"%s"' "${text//\"/\\\"}"
}

percent_encoded() {
  local LC_ALL=C i byte
  for ((i = 0; i < ${#1}; i++)); do
    byte="${1:i:1}"
    if [[ $byte == [a-zA-Z0-9._~-] ]]; then
      printf '%s' "$byte"
    else
      printf -v byte '%d' "'$byte"
      printf '%%%02X' $((byte & 255))
    fi
  done
}

(($# == 3)) || fail "usage: ${0##*/} <userID> <reportID> <new-status>
  RILLGATE_URL    the server (default http://localhost:3000)
  RILLGATE_TOKEN  a token, where the server asks for one"
hash curl 2>/dev/null || fail "curl is missing; install it"

server="${RILLGATE_URL:-http://localhost:3000}"
while [[ $server == */ ]]; do server="${server%/}"; done
token="${RILLGATE_TOKEN:-}"
[[ $token != *[[:cntrl:]]* ]] || fail "RILLGATE_TOKEN holds a control character; a token is one line"

# The header with the token comes through a pipe, since the arguments of a program are for all to see.
answer="$(
  curl --silent --show-error --globoff --request PUT --connect-timeout 10 --max-time 60 \
    --header "Content-Type: application/json" --header @- \
    --data-raw "{\"id\":$(json_quoted "$2"),\"status\":$(json_quoted "$3")}" \
    --write-out '\n%{http_code}' \
    "$server/v4/report?user_id=$(percent_encoded "$1")" \
    < <([[ -z $token ]] || printf 'Authorization: Bearer %s\n' "$token")
)" || fail "no answer from $server (RILLGATE_URL says where the server is)"
status="${answer##*$'\n'}"
body="${answer%$'\n'*}"

if [[ $status == 200 ]] && state="$(json_member reportStatus "$body")" && report="$(json_member reportId "$body")"; then
  printf 'report %s is now %s\n' "$report" "$state"
elif detail="$(json_member detail "$body")"; then
  fail "refused ($status): $detail"
else
  fail "$server answered $status, and not as Rillgate does (RILLGATE_URL says where the server is)"
fi

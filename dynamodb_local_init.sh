#!/usr/bin/env bash
# Creates the tables in which `rillgate serve --store dynamodb` keeps reports, and waits until they can be used. What is
# there already is left as it is, so running it twice is fine. Needs only curl, 7.75 or newer.
#
#   DYNAMODB_ENDPOINT               where DynamoDB is (default http://localhost:8000, DynamoDB Local)
#   RILLGATE_DYNAMODB_TABLE_PREFIX  stands in front of the tables' names (default none)
#   RILLGATE_DYNAMODB_REGION        (default us-east-1)
#
# The key pair comes from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from the profile AWS_PROFILE of
# ~/.aws/credentials, as the server's does; without either it is the one that the server uses for DynamoDB Local.
set -euo pipefail

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

(($# == 0)) || fail "usage: ${0##*/}   (no arguments; the comment at its top names the variables that it takes)"
hash curl 2>/dev/null || fail "curl is missing; install it"

endpoint="${DYNAMODB_ENDPOINT:-http://localhost:8000}"
prefix="${RILLGATE_DYNAMODB_TABLE_PREFIX:-}"
region="${RILLGATE_DYNAMODB_REGION:-us-east-1}"
[[ $prefix =~ ^[A-Za-z0-9_.-]*$ ]] || fail "RILLGATE_DYNAMODB_TABLE_PREFIX may have letters, digits, _, - and . only"

key_id="${AWS_ACCESS_KEY_ID:-}"
secret="${AWS_SECRET_ACCESS_KEY:-}"
session_token="${AWS_SESSION_TOKEN:-}"

# read_profile FILE PROFILE: sets the key pair from a file of sections with `name = value` lines.
read_profile() {
  local line name value section=""
  while IFS= read -r line || [[ -n $line ]]; do
    line="${line%$'\r'}"
    if [[ $line =~ ^[[:space:]]*\[[[:space:]]*([^]]*[^][:space:]])[[:space:]]*\] ]]; then
      section="${BASH_REMATCH[1]}"
    elif [[ $section == "$2" && $line =~ ^[[:space:]]*([a-z_]+)[[:space:]]*=[[:space:]]*(.*[^[:space:]]) ]]; then
      name="${BASH_REMATCH[1]}" value="${BASH_REMATCH[2]}"
      case "$name" in
        aws_access_key_id) key_id="$value" ;;
        aws_secret_access_key) secret="$value" ;;
        aws_session_token) session_token="$value" ;;
      esac
    fi
  done <"$1"
}

if [[ -z $key_id || -z $secret ]]; then
  key_id="" secret="" session_token=""
  credentials="${AWS_SHARED_CREDENTIALS_FILE:-${HOME:-}/.aws/credentials}"
  [[ ! -r $credentials ]] || read_profile "$credentials" "${AWS_PROFILE:-default}"
fi
if [[ -z $key_id || -z $secret ]]; then
  key_id=rillgate secret=rillgate session_token=""
fi

config_quoted() {
  local text="${1//\\/\\\\}"
  printf '"%s"' "${text//\"/\\\"}"
}

# The secret comes through a pipe, since the arguments of a program are for all to see.
curl_secrets() {
  printf 'user = %s\n' "$(config_quoted "$key_id:$secret")"
  [[ -z $session_token ]] || printf 'header = %s\n' "$(config_quoted "X-Amz-Security-Token: $session_token")"
}

# call OPERATION JSON: sets `status` and `answer`. A DynamoDB that has just been started is waited for.
call() {
  answer="$(
    curl --silent --show-error --globoff --connect-timeout 5 --max-time 30 \
      --retry 10 --retry-delay 1 --retry-max-time 15 --retry-connrefused \
      --aws-sigv4 "aws:amz:$region:dynamodb" --config <(curl_secrets) \
      --header "X-Amz-Target: DynamoDB_20120810.$1" --header "Content-Type: application/x-amz-json-1.0" \
      --data-binary "$2" --write-out '\n%{http_code}' "$endpoint/"
  )" || fail "no answer from $endpoint (DYNAMODB_ENDPOINT says where DynamoDB is)"
  status="${answer##*$'\n'}"
  answer="${answer%$'\n'*}"
}

# refused WHAT: ends the script with DynamoDB's own words.
refused() {
  local words="$answer"
  [[ ! $answer =~ \"[Mm]essage\"[[:space:]]*:[[:space:]]*\"([^\"]*)\" ]] || words="${BASH_REMATCH[1]}"
  fail "$1: DynamoDB at $endpoint answers $status: ${words//[[:cntrl:]]/ }"
}

# create TABLE KEY TYPE: a table of the key (user, KEY).
create() {
  local table="$prefix$1" attempt
  call CreateTable "{\"TableName\":\"$table\",\"BillingMode\":\"PAY_PER_REQUEST\",
    \"AttributeDefinitions\":[{\"AttributeName\":\"user\",\"AttributeType\":\"S\"},
                              {\"AttributeName\":\"$2\",\"AttributeType\":\"$3\"}],
    \"KeySchema\":[{\"AttributeName\":\"user\",\"KeyType\":\"HASH\"},{\"AttributeName\":\"$2\",\"KeyType\":\"RANGE\"}]}"
  [[ $status == 200 || $answer == *ResourceInUseException* ]] || refused "table $table is not created"
  for ((attempt = 0; attempt < 60; attempt++)); do
    call DescribeTable "{\"TableName\":\"$table\"}"
    [[ $status == 200 ]] || refused "table $table is not found"
    [[ $answer == *\"AttributeName\":\"user\"* && $answer == *\"AttributeName\":\"$2\"* ]] ||
      fail "there is a table $table of another program; set RILLGATE_DYNAMODB_TABLE_PREFIX, for the server too"
    [[ ! $answer =~ \"TableStatus\"[[:space:]]*:[[:space:]]*\"ACTIVE\" ]] || return 0
    sleep 1
  done
  fail "table $table is still not active after a minute; try again later"
}

# expire TABLE: lets DynamoDB forget items by their attribute `expires`.
expire() {
  local table="$prefix$1"
  call DescribeTimeToLive "{\"TableName\":\"$table\"}"
  [[ $status == 200 ]] || refused "table $table does not say how its items expire"
  [[ ! $answer =~ \"TimeToLiveStatus\"[[:space:]]*:[[:space:]]*\"ENABL(ED|ING)\" ]] || return 0
  call UpdateTimeToLive "{\"TableName\":\"$table\",
    \"TimeToLiveSpecification\":{\"AttributeName\":\"expires\",\"Enabled\":true}}"
  [[ $status == 200 ]] || refused "the items of table $table do not expire"
}

create reports report S
create report_events sequence N
expire report_events
printf 'the tables %s and %s are ready at %s\n' "${prefix}reports" "${prefix}report_events" "$endpoint"

#!/usr/bin/env bash
# Hands the test mail, or another one, to the service over SMTP, as a mail server would.
#   tests/send_message_to_smtp.sh [--host HOST] [--port PORT] [--to ADDRESS] [FILE]
set -euo pipefail

host=localhost port=2525 to=no-reply@mydomain.de
while [[ "${1:-}" == --* ]]; do
  case "$1" in
    --host) host=$2 ;;
    --port) port=$2 ;;
    --to) to=$2 ;;
    *)
      echo "usage: $0 [--host HOST] [--port PORT] [--to ADDRESS] [FILE]" >&2
      exit 2
      ;;
  esac
  shift 2
done
mail=${1:-$(dirname "$0")/testmail}

if command -v swaks >/dev/null; then
  swaks --server "$host" --port "$port" --from '<>' --to "$to" --data "@$mail" --hide-informational
else
  # curl says nothing of the envelope sender <> but this.
  curl --silent --show-error --verbose --crlf --url "smtp://$host:$port" --mail-from '<>' --mail-rcpt "$to" --upload-file "$mail" 2>&1
fi

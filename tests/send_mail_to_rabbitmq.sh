#!/bin/sh
# Publishes tests/testmail, or the mail that is named, to a queue, to see the service handle it:
#   tests/send_mail_to_rabbitmq.sh [MAIL]
# The broker is AMQP_URL (default amqp://guest:guest@localhost/bouncedemails), the queue AMQP_QUEUE (default bouncedemails).
set -eu
mail=${1:-$(dirname "$0")/testmail}
amqp-publish --persistent --url "${AMQP_URL:-amqp://guest:guest@localhost/bouncedemails}" \
    --routing-key "${AMQP_QUEUE:-bouncedemails}" <"$mail"

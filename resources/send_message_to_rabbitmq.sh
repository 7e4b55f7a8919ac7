#!/bin/sh
# Hands the mail on standard input to RabbitMQ, for Postfix (see resources/postfix/). Needs: apt-get install amqp-tools
#
# Whatever goes wrong, it exits 75 (EX_TEMPFAIL): Postfix keeps the mail and tries again, for bounce_queue_lifetime (5 days).
#
# These can be set in the environment:
server=${AMQP_SERVER:-localhost}
port=${AMQP_PORT:-5672}
vhost=${AMQP_VHOST:-bouncedemails}
queue=${AMQP_QUEUE:-bouncedemails}
# Two lines, `username:NAME` and `password:PASSWORD`. A file, because command lines can be read by everyone on the machine.
authfile=${AMQP_AUTHFILE:-/etc/bouncedemails/publish.auth}

# Also for faults of this script itself: any other status would make Postfix throw the bounce away.
trap '[ $? -eq 0 ] || exit 75' EXIT
set -eu

amqp() {
    tool=$1
    shift
    # A broker that answers nothing is an outage as well.
    timeout --kill-after=5 60 "$tool" --server "$server" --port "$port" --vhost "$vhost" --authfile "$authfile" "$@"
}

# A broker drops, without a word, what is published to a queue that does not exist. So the queue is declared first, which changes nothing
# if it is there; a queue that was declared otherwise (not durable) is refused, and is there, too.
if ! answer=$(amqp amqp-declare-queue --durable --queue "$queue" 2>&1); then
    case $answer in
    *PRECONDITION_FAILED*) ;;
    *)
        echo "the queue $queue cannot be reached: $answer" >&2
        exit 75
        ;;
    esac
fi

amqp amqp-publish --persistent --routing-key "$queue" --content-type message/rfc822 \
    --header "message-id: $(cat /proc/sys/kernel/random/uuid)"

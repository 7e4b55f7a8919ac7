#!/bin/sh
# Makes what the service needs in RabbitMQ: a vhost, a user that takes mails out, a user that only puts mails in (for
# send_message_to_rabbitmq.sh), and a durable queue. To be run as root where the broker runs; running it again changes nothing but
# the passwords. Needs: apt-get install rabbitmq-server amqp-tools
#
# The passwords go into files, to be used as ${file:PATH} in config.yml and as authfile by send_message_to_rabbitmq.sh.
set -eu

vhost=${AMQP_VHOST:-bouncedemails}
queue=${AMQP_QUEUE:-bouncedemails}
port=${AMQP_PORT:-5672}
folder=${BOUNCEDEMAILS_ETC:-/etc/bouncedemails}
consumer=bouncedemails
publisher=bouncedemails-publish

random() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

has() {
    rabbitmqctl --quiet "$1" --no-table-headers | cut -f1 | grep -qx -- "$2"
}

# user NAME PASSWORD CONFIGURE WRITE READ: the last three are patterns of what it may do that with.
user() {
    if has list_users "$1"; then
        printf '%s' "$2" | rabbitmqctl --quiet change_password "$1" >/dev/null
    else
        printf '%s' "$2" | rabbitmqctl --quiet add_user "$1" >/dev/null
    fi
    rabbitmqctl --quiet set_permissions --vhost "$vhost" "$1" "$3" "$4" "$5"
}

# write FILE: for root and the service, if that user exists.
write() {
    (umask 027 && cat >"$1.new")
    chgrp bouncedemails "$1.new" 2>/dev/null || true
    mv "$1.new" "$1"
}

has list_vhosts "$vhost" || rabbitmqctl --quiet add_vhost "$vhost"
mkdir -p "$folder"

password=$(random)
# In patterns a queue's dots stand for themselves.
pattern="^$(printf '%s' "$queue" | sed 's/[.[\*^$+?(){}|]/\\&/g')\$"
user "$consumer" "$password" "$pattern" '^$' "$pattern"
printf '%s\n' "$password" | write "$folder/rabbitmq_password"

password=$(random)
user "$publisher" "$password" "$pattern" '^amq\.default$' '^$'
# Postfix runs the pipe of an alias as nobody; this user may do nothing but put mails in.
printf 'username:%s\npassword:%s\n' "$publisher" "$password" | write "$folder/publish.auth"
chmod 644 "$folder/publish.auth"

if ! answer=$(amqp-declare-queue --server localhost --port "$port" --vhost "$vhost" --authfile "$folder/publish.auth" \
    --durable --queue "$queue" 2>&1); then
    case $answer in
    *PRECONDITION_FAILED*) echo "The queue $queue exists and is not durable; see the warning in the service's log." >&2 ;;
    *)
        echo "The queue $queue cannot be declared: $answer" >&2
        exit 1
        ;;
    esac
fi

cat <<END
Done. In $folder/config.yml:
  amqp:
    url: amqp://$consumer:\${file:$folder/rabbitmq_password}@localhost/$vhost
    queue: $queue
END

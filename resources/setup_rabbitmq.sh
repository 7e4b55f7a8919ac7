#!/bin/sh
# Makes what the service needs in RabbitMQ: a vhost, a user that takes mails out, a user that only puts mails in (for
# send_message_to_rabbitmq.sh), and a queue that loses nothing. To be run as root where the broker runs. What is there already stays as
# it is, the passwords too: running it again is safe while the service runs. Needs: apt-get install rabbitmq-server
#
# The passwords go into files, to be used as ${file:PATH} in config.yml and as authfile by send_message_to_rabbitmq.sh.
set -eu

vhost=${AMQP_VHOST:-bouncedemails}
queue=${AMQP_QUEUE:-bouncedemails}
folder=${BOUNCEDEMAILS_ETC:-/etc/bouncedemails}
consumer=bouncedemails
publisher=bouncedemails-publish
# As whom the mail server runs send_message_to_rabbitmq.sh: Postfix runs the pipe of an alias as default_privs.
mta=${AMQP_MTA_USER:-$(postconf -h default_privs 2>/dev/null || echo nobody)}

case $vhost$queue in
*[\"\\]*)
    echo "Names with quotes or backslashes are not for this script." >&2
    exit 1
    ;;
esac

random() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

has() {
    rabbitmqctl --quiet "$1" --no-table-headers | cut -f1 | grep -qx -- "$2"
}

# user NAME PASSWORD CONFIGURE WRITE READ: the last three are patterns of what it may do that with.
user() {
    # From RabbitMQ 4 on, these read a password from standard input only if nothing but the name is given, not even --quiet.
    if ! has list_users "$1"; then
        printf '%s' "$2" | rabbitmqctl add_user "$1" >/dev/null
    elif ! printf '%s' "$2" | rabbitmqctl authenticate_user "$1" >/dev/null 2>&1; then
        # The file was lost, or changed.
        printf '%s' "$2" | rabbitmqctl change_password "$1" >/dev/null
        echo "The user $1 has the password of the file now; restart what uses it." >&2
    fi
    rabbitmqctl --quiet set_permissions --vhost "$vhost" "$1" "$3" "$4" "$5"
}

# write FILE OWNER MODE: from standard input; never readable for others, not even for a moment.
write() {
    (umask 077 && cat >"$1.new")
    chown "$2" "$1.new"
    chmod "$3" "$1.new"
    mv "$1.new" "$1"
}

# The password that a file holds, or a new one.
password_in() {
    kept=$(sed -n "s/^$2//p" "$1" 2>/dev/null | head -n 1)
    printf '%s' "${kept:-$(random)}"
}

has list_vhosts "$vhost" || rabbitmqctl --quiet add_vhost "$vhost"
mkdir -p "$folder"
# In patterns a queue's dots stand for themselves.
pattern="^$(printf '%s' "$queue" | sed 's/[.[\*^$+?(){}|]/\\&/g')\$"

password=$(password_in "$folder/rabbitmq_password" '')
user "$consumer" "$password" "$pattern" '^$' "$pattern"
group=$(getent group bouncedemails >/dev/null && echo bouncedemails || echo root)
printf '%s\n' "$password" | write "$folder/rabbitmq_password" "root:$group" 640

# Whoever can read this can put mails in, so it is for the mail server alone.
password=$(password_in "$folder/publish.auth" password:)
user "$publisher" "$password" "$pattern" '^amq\.default$' '^$'
printf 'username:%s\npassword:%s\n' "$publisher" "$password" | write "$folder/publish.auth" "$mta" 400

# A quorum queue has each mail on disk before it confirms it. From RabbitMQ 4 on such a queue drops a mail that was delivered 20 times
# and not acknowledged, as when the service is killed with mails in hand, unless it is told otherwise.
made=$(rabbitmqctl --quiet eval "
    Name = rabbit_misc:r(<<\"$vhost\">>, queue, <<\"$queue\">>),
    Unlimited = case rabbit_misc:version_compare(rabbit_misc:version(), \"4.0.0\", gte) of
        true -> [{<<\"x-delivery-limit\">>, signedint, -1}];
        false -> []
    end,
    Arguments = [{<<\"x-queue-type\">>, longstr, <<\"quorum\">>} | Unlimited],
    case rabbit_amqqueue:exists(Name) of
        true -> exists;
        false -> element(1, rabbit_amqqueue:declare(Name, true, false, Arguments, none, <<\"$consumer\">>))
    end.")
case $made in
new) ;;
exists) echo "The queue $queue exists and stays as it is; should it be one that loses mails, the service's log says so." >&2 ;;
*)
    echo "The queue $queue cannot be declared: $made" >&2
    exit 1
    ;;
esac

cat <<END
Done. In $folder/config.yml:
  amqp:
    url: amqp://$consumer:\${file:$folder/rabbitmq_password}@localhost/$vhost
    queue: $queue
END

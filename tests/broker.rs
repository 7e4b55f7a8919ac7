//! The AMQP intake against a real RabbitMQ.

mod support;

use support::*;

#[test]
fn the_support_works() {
    let vhost = Broker::shared().vhost("support");
    let queue = vhost.durable_queue("mails");
    queue.amqp_publish(b"a mail");
    queue.publish(["another", "a third"]);
    assert_eq!(queue.ready(), 3);
    assert_eq!(queue.messages(), 3);
}

#[test]
fn a_killed_broker_comes_back_with_its_mails() {
    let broker = Broker::start();
    let vhost = broker.vhost("killed");
    let queue = vhost.durable_queue("mails");
    queue.publish(["one"]);
    broker.kill();
    broker.start_again();
    assert_eq!(queue.ready(), 1);
    broker.stop();
    broker.start_again();
    assert_eq!(queue.ready(), 1);
}

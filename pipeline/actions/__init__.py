"""What follows from a published month: each measure decides who gets what, the outbox holds it until it is done."""

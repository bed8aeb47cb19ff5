"""The outbox ops.service_actions: propose, approve, dispatch, record the outcome."""

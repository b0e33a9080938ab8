-- Mail that an account submitted and that still waits is held (queue_recipient.held = 2) when the account goes out of service, and
-- released when it comes back. The release before knows 1 alone: to it such a recipient is held, and it releases none of them.
CREATE INDEX queue_message_submitted ON queue_message (submitted_by) WHERE submitted_by IS NOT NULL;

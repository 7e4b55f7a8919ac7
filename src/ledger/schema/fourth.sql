-- Who failed in the end, where bounced_address passed the mail on to another address.
ALTER TABLE bounces ADD COLUMN final_recipient TEXT;

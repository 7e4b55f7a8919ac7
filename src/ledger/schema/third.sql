-- Who has claimed a suspension in order to post it; meanwhile `due` is when the claim ends.
ALTER TABLE suspensions ADD COLUMN claimant INTEGER;
CREATE INDEX suspensions_claimed ON suspensions (claimant) WHERE claimant IS NOT NULL;

-- Since when the backup password is set.
ALTER TABLE pkcs11_token ADD COLUMN bek_set_at TEXT;

-- 'current' (or NULL, from before): wraps the DEK. 'pending': its id stands here before it is
-- generated, and until a rotation is finished. 'retired': wrapped the DEK before.
ALTER TABLE pkcs11_key ADD COLUMN state TEXT;

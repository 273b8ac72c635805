-- protected.sql: turns a copy of the template into one where the table of a client's steps is
-- protected as soon as it is made, so that its view opens values in their places.
CREATE FUNCTION protect_patient() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
  IF to_regclass('public.patient') IS NOT NULL
     AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'public.patient'::regclass AND tgname = '~seal_subject') THEN
    PERFORM seal.protect('public.patient', 'id', 'patient');
  END IF;
END $$;
CREATE EVENT TRIGGER protect_patient ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION protect_patient();

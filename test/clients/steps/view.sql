DO $$ BEGIN PERFORM seal.create_revealing_view('patient'); END $$;
GRANT SELECT, INSERT, UPDATE ON patient, patient_revealed TO client_intern;

/*
 * JDBC: strings as varchar, java.sql dates without a type, java.time's with their own.
 * Over TCP, with a password, which is all that the driver knows.
 */
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

public class with_jdbc {
    private static final String PAGE = "SELECT id FROM patient_revealed ORDER BY name";
    private static Connection app;

    private static Connection connect(String user, String password) throws SQLException {
        return DriverManager.getConnection("jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/"
            + System.getenv("PGDATABASE"), user, password);
    }

    private static void execute(String sql) throws SQLException {
        try (Statement statement = app.createStatement()) {
            statement.execute(sql);
        }
    }

    private static PreparedStatement prepare(Connection connection, String sql, Object... parameters) throws SQLException {
        PreparedStatement statement = connection.prepareStatement(sql);
        for (int i = 0; i < parameters.length; i++) {
            statement.setObject(i + 1, parameters[i]);
        }
        return statement;
    }

    private static int update(String sql, Object... parameters) throws SQLException {
        try (PreparedStatement statement = prepare(app, sql, parameters)) {
            return statement.executeUpdate();
        }
    }

    private static List<List<Object>> rows(PreparedStatement statement) throws SQLException {
        List<List<Object>> rows = new ArrayList<>();
        try (statement; ResultSet result = statement.executeQuery()) {
            while (result.next()) {
                List<Object> row = new ArrayList<>();
                for (int column = 1; column <= result.getMetaData().getColumnCount(); column++) {
                    row.add(result.getObject(column));
                }
                rows.add(row);
            }
        }
        return rows;
    }

    private static List<List<Object>> rows(String sql, Object... parameters) throws SQLException {
        return rows(prepare(app, sql, parameters));
    }

    private static List<Object> ids(List<List<Object>> rows) {
        return rows.stream().map(row -> row.get(0)).toList();
    }

    private static List<Object> ids(String sql, Object... parameters) throws SQLException {
        return ids(rows(sql, parameters));
    }

    private static Object create() throws SQLException {
        execute(Steps.TABLE);
        for (String statement : Steps.VIEW) {
            execute(statement);
        }
        return ids("SELECT id FROM patient_revealed");
    }

    private static Object look() throws SQLException {
        try (ResultSet column = app.getMetaData().getColumns(null, null, "patient", "nir")) {
            column.next();
            Object value = rows("SELECT seal.seal('x', 'nir')").get(0).get(0);
            return Map.of("TYPE_NAME", column.getString("TYPE_NAME"), "DATA_TYPE", column.getInt("DATA_TYPE"),
                "getObject", value.getClass().getSimpleName());
        }
    }

    private static Object insertBatch() throws SQLException {
        try (PreparedStatement statement = app.prepareStatement("INSERT INTO patient VALUES (?, ?, ?, ?, ?, ?, ?)")) {
            for (Steps.Row row : Steps.PATIENTS) {
                statement.setInt(1, row.id());
                statement.setString(2, row.nir());
                statement.setString(3, row.name());
                statement.setDate(4, Date.valueOf(row.born()));
                statement.setTimestamp(5, Timestamp.from(row.seen()));
                statement.setBigDecimal(6, row.dose());
                statement.setString(7, row.note());
                statement.addBatch();
            }
            statement.executeBatch();
        }
        return rows("SELECT * FROM patient_revealed WHERE id = 1").get(0);
    }

    private static Object insertNull() throws SQLException {
        try (PreparedStatement statement = app.prepareStatement("INSERT INTO patient VALUES (5, '555', ?, ?, ?, ?, ?)")) {
            statement.setNull(1, Types.VARCHAR);
            statement.setNull(2, Types.DATE);
            statement.setNull(3, Types.TIMESTAMP_WITH_TIMEZONE);
            statement.setNull(4, Types.NUMERIC);
            statement.setString(5, null);
            statement.executeUpdate();
        }
        return rows("SELECT name, born, seen, dose, note FROM patient_revealed WHERE id = 5").get(0);
    }

    private static Object updateBy(Object born, Object dose) throws SQLException {
        update("UPDATE patient SET born = ?, dose = ?, note = ? WHERE id = 2", born, dose, "négatif");
        return rows("SELECT born, dose, note FROM patient_revealed WHERE id = 2").get(0);
    }

    private static Object upsert() throws SQLException {
        String sql = "INSERT INTO patient (id, nir, name) VALUES (?, ?, ?) ON CONFLICT (nir) DO UPDATE SET name = excluded.name";
        update(sql, 33, Steps.PATIENTS.get(2).nir(), "Noël");
        update(sql, 6, "666", "Nadia");
        return rows("SELECT id, name FROM patient_revealed WHERE id IN (3, 6) ORDER BY id");
    }

    /* The driver prepares in the server at the fifth execution; the server's plan is generic five later. */
    private static Object searchAgain() throws SQLException {
        List<Object> found = new ArrayList<>();
        try (PreparedStatement statement = prepare(app, "SELECT id FROM patient WHERE nir = ?", Steps.PATIENTS.get(0).nir())) {
            for (int turn = 0; turn < 12; turn++) {
                try (ResultSet result = statement.executeQuery()) {
                    found.add(result.next() ? result.getInt(1) : null);
                }
            }
        }
        return found.stream().distinct().toList();
    }

    /* With a fetch size and without autocommit the driver reads through a portal, some rows at a time. */
    private static Object fetchPages() throws SQLException {
        app.setAutoCommit(false);
        try (PreparedStatement statement = app.prepareStatement(PAGE)) {
            statement.setFetchSize(2);
            try (ResultSet result = statement.executeQuery()) {
                List<Object> all = new ArrayList<>();
                while (result.next()) {
                    all.add(result.getInt(1));
                }
                return all.subList(2, 4);
            }
        } finally {
            app.setAutoCommit(true);
        }
    }

    private static Object names() throws SQLException {
        List<Object> found = new ArrayList<>();
        try (PreparedStatement statement = app.prepareStatement("INSERT INTO patient (id, nir, name) VALUES (?, ?, ?)")) {
            for (int i = 0; i < Steps.NAMES.size(); i++) {
                statement.setInt(1, 10 + i);
                statement.setString(2, String.valueOf(10 + i));
                statement.setString(3, Steps.NAMES.get(i));
                statement.addBatch();
            }
            statement.executeBatch();
        }
        for (String name : Steps.NAMES) {
            found.add(rows("SELECT name FROM patient_revealed WHERE name = ? AND id >= 10", name).get(0).get(0));
        }
        return found;
    }

    private static Object refused() throws SQLException {
        try (Connection intern = connect("client_intern", "intern")) {
            return List.of(
                Steps.stateOf(() -> rows(prepare(intern, "SELECT seal.reveal(nir) FROM patient WHERE id = ?", 1))),
                Steps.stateOf(() -> prepare(intern, "INSERT INTO patient (id, nir) VALUES (?, ?)", 99, "x").executeUpdate()));
        }
    }

    private static Object viewInsert() throws SQLException {
        Steps.Row row = Steps.VIEW_ROW;
        update("INSERT INTO patient_revealed (id, nir, name, born, note) VALUES (?, ?, ?, ?, ?)",
            row.id(), row.nir(), row.name(), row.born(), row.note());
        return rows("SELECT id, name, born, note FROM patient_revealed WHERE id = 7").get(0);
    }

    private static Object viewUpdate() throws SQLException {
        update("UPDATE patient_revealed SET note = ? WHERE id = 7", "relu");
        return ids("SELECT note FROM patient_revealed WHERE id = 7");
    }

    public static void main(String[] arguments) throws SQLException {
        String nir = Steps.PATIENTS.get(0).nir();
        app = connect("client_app", "app");
        Steps.step("create", "CREATE TABLE", with_jdbc::create);
        Steps.step("type", "DatabaseMetaData.getColumns(), getObject()", with_jdbc::look);
        Steps.step("insert", "a batch; setString, setDate, setTimestamp, setBigDecimal; getObject", with_jdbc::insertBatch);
        Steps.step("null", "setNull with the plain type, setString(null)", with_jdbc::insertNull);
        Steps.step("update", "setObject of a LocalDate and a BigDecimal", () -> updateBy(Steps.BORN, Steps.DOSE));
        Steps.step("update", "setObject of a java.sql.Date and a double", () -> {
            update("UPDATE patient SET dose = ? WHERE id = 2", 12.5);
            return updateBy(Date.valueOf(Steps.BORN), new BigDecimal("12.50"));
        });
        Steps.step("upsert", "ON CONFLICT (nir) DO UPDATE", with_jdbc::upsert);
        Steps.step("equality", "on the view", () -> ids("SELECT id FROM patient_revealed WHERE nir = ?", nir));
        Steps.step("equality", "on the table", () -> ids("SELECT id FROM patient WHERE nir = ?", nir));
        Steps.step("equality", "twelve times, prepared in the server, past the generic plan", with_jdbc::searchAgain);
        Steps.step("like", "LIKE", () -> ids("SELECT id FROM patient_revealed WHERE name LIKE ? ORDER BY id", "N%"));
        Steps.step("range", "two LocalDates", () -> ids("SELECT id FROM patient_revealed WHERE born >= ? AND born < ? ORDER BY id",
            Steps.NEW_YEAR_1990, Steps.NEW_YEAR_1991));
        Steps.step("range", "two java.sql.Dates", () -> ids(
            "SELECT id FROM patient_revealed WHERE born >= ? AND born < ? ORDER BY id",
            Date.valueOf(Steps.NEW_YEAR_1990), Date.valueOf(Steps.NEW_YEAR_1991)));
        Steps.step("page", "ORDER BY, LIMIT, OFFSET", () -> ids(PAGE + " LIMIT ? OFFSET ?", 2, 2));
        Steps.step("page", "setFetchSize(2)", with_jdbc::fetchPages);
        Steps.step("native", "as all the others", () -> rows(
            "SELECT id, name, dose FROM patient_revealed WHERE nir = ? AND born > ?", Steps.PATIENTS.get(1).nir(), Steps.NEW_YEAR_1990));
        Steps.step("names", "a batch, one query each", with_jdbc::names);
        Steps.step("refused", "SQLException.getSQLState()", with_jdbc::refused);
        Steps.step("view_insert", "INSERT", with_jdbc::viewInsert);
        Steps.step("view_update", "UPDATE", with_jdbc::viewUpdate);
        Steps.run(app.getMetaData().getDriverName() + " " + app.getMetaData().getDriverVersion() + ", Java " + Runtime.version().feature());
        app.close();
    }
}

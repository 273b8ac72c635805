/*
 * Hibernate: sealed columns by columnDefinition; what is no text is read through
 * seal.show() by a ColumnTransformer, so that an entity of the table is read and
 * written in native types.  An entity of the view searches.
 */
import java.math.BigDecimal;
import java.sql.Timestamp;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import javax.persistence.Column;
import javax.persistence.Entity;
import javax.persistence.Id;
import javax.persistence.Table;
import javax.persistence.Temporal;
import javax.persistence.TemporalType;
import org.hibernate.Query;
import org.hibernate.Session;
import org.hibernate.SessionFactory;
import org.hibernate.StatelessSession;
import org.hibernate.annotations.ColumnTransformer;
import org.hibernate.cfg.Configuration;
import org.hibernate.criterion.Order;
import org.hibernate.criterion.Projections;
import org.hibernate.criterion.Restrictions;
import org.hibernate.tool.hbm2ddl.SchemaExport;
import org.hibernate.tool.hbm2ddl.SchemaValidator;
import org.hibernate.type.StringType;

public class with_hibernate {
    private static final String NATIVE = "SELECT id, name, dose FROM patient_revealed WHERE nir = :nir AND born > :born";

    private static SessionFactory app;

    @Entity(name = "Patient")
    @Table(name = "patient")
    @org.hibernate.annotations.Entity(dynamicUpdate = true)
    public static class Patient {
        @Id
        public Integer id;
        @Column(columnDefinition = "sealed_text(nir)", unique = true)
        public String nir;
        @Column(columnDefinition = "sealed_text(identity)")
        public String name;
        @Column(columnDefinition = "sealed_date(identity)")
        @ColumnTransformer(read = "seal.show(born)")
        @Temporal(TemporalType.DATE)
        public Date born;
        @Column(columnDefinition = "sealed_timestamptz(clinical)")
        @ColumnTransformer(read = "seal.show(seen)")
        @Temporal(TemporalType.TIMESTAMP)
        public Date seen;
        @Column(columnDefinition = "sealed_numeric(clinical)")
        @ColumnTransformer(read = "seal.show(dose)")
        public BigDecimal dose;
        @Column(columnDefinition = "sealed_text(clinical)")
        public String note;
    }

    @Entity(name = "Revealed")
    @Table(name = "patient_revealed")
    public static class Revealed {
        @Id
        public Integer id;
        public String nir;
        public String name;
        @Temporal(TemporalType.DATE)
        public Date born;
        @Temporal(TemporalType.TIMESTAMP)
        public Date seen;
        public BigDecimal dose;
        public String note;
    }

    private static Configuration configure(String user, String password, Class<?>... entities) {
        Configuration made = new Configuration()
            .setProperty("hibernate.connection.driver_class", "org.postgresql.Driver")
            .setProperty("hibernate.connection.url",
                "jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE"))
            .setProperty("hibernate.connection.username", user)
            .setProperty("hibernate.connection.password", password)
            .setProperty("hibernate.connection.pool_size", "2")
            .setProperty("hibernate.dialect", "org.hibernate.dialect.PostgreSQLDialect")
            .setProperty("hibernate.temp.use_jdbc_metadata_defaults", "false");
        for (Class<?> entity : entities) {
            made.addAnnotatedClass(entity);
        }
        return made;
    }

    private static <T> T inTransaction(Function<Session, T> work) {
        Session session = app.openSession();
        try {
            session.beginTransaction();
            T result = work.apply(session);
            session.getTransaction().commit();
            return result;
        } finally {
            if (session.getTransaction().isActive()) {
                session.getTransaction().rollback();
            }
            session.close();
        }
    }

    private static Date date(LocalDate day) {
        return java.sql.Date.valueOf(day);
    }

    private static Patient patient(Steps.Row row) {
        Patient patient = new Patient();
        patient.id = row.id();
        patient.nir = row.nir();
        patient.name = row.name();
        patient.born = date(row.born());
        patient.seen = Timestamp.from(row.seen());
        patient.dose = row.dose();
        patient.note = row.note();
        return patient;
    }

    private static Object query(String hql, Object... parameters) {
        return inTransaction(session -> {
            Query query = session.createQuery(hql);
            for (int i = 0; i < parameters.length; i++) {
                query.setParameter("p" + i, parameters[i]);
            }
            return query.list();
        });
    }

    private static Object first(String hql) {
        return ((List<?>) query(hql)).get(0);
    }

    private static Object create() {
        new SchemaExport(configure("client_app", "app", Patient.class)).execute(false, true, false, true);
        return inTransaction(session -> {
            Steps.VIEW.forEach(statement -> session.createSQLQuery(statement).executeUpdate());
            return session.createQuery("select id from Revealed").list();
        });
    }

    private static String said(Runnable work) {
        try {
            work.run();
            return "works";
        } catch (RuntimeException error) {
            return error.getMessage();
        }
    }

    private static Object look() {
        Map<String, String> seen = new LinkedHashMap<>();
        seen.put("native query of the column", said(() -> inTransaction(session ->
            session.createSQLQuery("SELECT seal.seal('x', 'nir') AS nir").list())));
        seen.put("with addScalar(\"nir\", StringType.INSTANCE)", said(() -> inTransaction(session ->
            session.createSQLQuery("SELECT seal.seal('x', 'nir') AS nir").addScalar("nir", StringType.INSTANCE).list())));
        seen.put("hbm2ddl validate", said(() -> new SchemaValidator(configure("client_app", "app", Patient.class)).validate()));
        return seen;
    }

    private static Object insert() {
        inTransaction(session -> {
            Steps.PATIENTS.forEach(row -> session.save(patient(row)));
            return null;
        });
        return first("select id, nir, name, born, seen, dose, note from Revealed where id = 1");
    }

    private static Object insertNull() {
        inTransaction(session -> {
            Patient patient = new Patient();
            patient.id = 5;
            patient.nir = "555";
            return session.save(patient);
        });
        return first("select name, born, seen, dose, note from Revealed where id = 5");
    }

    private static Object updateEntity() {
        inTransaction(session -> {
            Patient patient = (Patient) session.get(Patient.class, 2);
            patient.born = date(Steps.BORN);
            patient.dose = Steps.DOSE;
            patient.note = "négatif";
            return null;
        });
        return first("select born, dose, note from Revealed where id = 2");
    }

    private static Object updateQuery() {
        inTransaction(session -> session.createQuery("update Patient set born = :born, dose = :dose, note = :note where id = 2")
            .setDate("born", date(Steps.BORN)).setBigDecimal("dose", Steps.DOSE).setString("note", "négatif").executeUpdate());
        return first("select born, dose, note from Revealed where id = 2");
    }

    private static Object upsert() {
        inTransaction(session -> {
            Query query = session.createSQLQuery("INSERT INTO patient (id, nir, name) VALUES (:id, :nir, :name)"
                + " ON CONFLICT (nir) DO UPDATE SET name = excluded.name");
            query.setInteger("id", 33).setString("nir", Steps.PATIENTS.get(2).nir()).setString("name", "Noël").executeUpdate();
            return query.setInteger("id", 6).setString("nir", "666").setString("name", "Nadia").executeUpdate();
        });
        return query("select id, name from Revealed where id in (3, 6) order by id");
    }

    private static Object like() {
        return inTransaction(session -> session.createCriteria(Revealed.class).add(Restrictions.like("name", "N%"))
            .addOrder(Order.asc("id")).setProjection(Projections.id()).list());
    }

    private static Object page() {
        return inTransaction(session -> session.createQuery("select id from Revealed order by name")
            .setFirstResult(2).setMaxResults(2).list());
    }

    private static Object nativeQuery() {
        return inTransaction(session -> session.createSQLQuery(NATIVE)
            .setString("nir", Steps.PATIENTS.get(1).nir()).setDate("born", date(Steps.NEW_YEAR_1990)).list());
    }

    private static Object names() {
        inTransaction(session -> {
            for (int i = 0; i < Steps.NAMES.size(); i++) {
                Patient patient = new Patient();
                patient.id = 10 + i;
                patient.nir = String.valueOf(10 + i);
                patient.name = Steps.NAMES.get(i);
                session.save(patient);
            }
            return null;
        });
        List<Object> found = new ArrayList<>();
        for (String name : Steps.NAMES) {
            found.addAll((List<?>) query("select name from Revealed where name = :p0 and id >= 10", name));
        }
        return found;
    }

    private static String stateAsIntern(SessionFactory intern, Function<StatelessSession, Object> work) {
        StatelessSession session = intern.openStatelessSession();
        session.beginTransaction();
        try {
            return Steps.stateOf(() -> work.apply(session));
        } finally {
            session.getTransaction().rollback();
            session.close();
        }
    }

    private static Object refused() {
        SessionFactory intern = configure("client_intern", "intern", Patient.class).buildSessionFactory();
        Patient patient = new Patient();
        patient.id = 99;
        patient.nir = "x";
        List<String> states = List.of(
            stateAsIntern(intern, session -> session.createSQLQuery("SELECT seal.reveal(nir) FROM patient WHERE id = 1").list()),
            stateAsIntern(intern, session -> session.insert(patient)));
        intern.close();
        return states;
    }

    private static Object viewInsert() {
        inTransaction(session -> {
            Revealed row = new Revealed();
            row.id = Steps.VIEW_ROW.id();
            row.nir = Steps.VIEW_ROW.nir();
            row.name = Steps.VIEW_ROW.name();
            row.born = date(Steps.VIEW_ROW.born());
            row.note = Steps.VIEW_ROW.note();
            return session.save(row);
        });
        return first("select id, name, born, note from Revealed where id = 7");
    }

    private static Object viewUpdate() {
        inTransaction(session -> {
            ((Revealed) session.get(Revealed.class, 7)).note = "relu";
            return null;
        });
        return query("select note from Revealed where id = 7");
    }

    public static void main(String[] arguments) {
        String nir = Steps.PATIENTS.get(0).nir();
        app = configure("client_app", "app", Patient.class, Revealed.class).buildSessionFactory();
        Steps.step("create", "SchemaExport of an entity with columnDefinition", with_hibernate::create);
        Steps.step("type", "what a native query and the schema validator say", with_hibernate::look);
        Steps.step("insert", "save() of the entity of the table", with_hibernate::insert);
        Steps.step("null", "properties that are null", with_hibernate::insertNull);
        Steps.step("update", "get() of the entity of the table, dynamicUpdate", with_hibernate::updateEntity);
        Steps.step("update", "HQL update", with_hibernate::updateQuery);
        Steps.step("upsert", "a native query, ON CONFLICT (nir) DO UPDATE", with_hibernate::upsert);
        Steps.step("equality", "HQL, the entity of the view", () -> query("select id from Revealed where nir = :p0", nir));
        Steps.step("equality", "HQL, the entity of the table", () -> query("select id from Patient where nir = :p0", nir));
        Steps.step("like", "Restrictions.like()", with_hibernate::like);
        Steps.step("range", "HQL, two dates", () -> query(
            "select id from Revealed where born >= :p0 and born < :p1 order by id",
            date(Steps.NEW_YEAR_1990), date(Steps.NEW_YEAR_1991)));
        Steps.step("page", "setFirstResult(), setMaxResults()", with_hibernate::page);
        Steps.step("native", "createSQLQuery() on the view", with_hibernate::nativeQuery);
        Steps.step("names", "save(), one query each", with_hibernate::names);
        Steps.step("refused", "SQLException.getSQLState() of the cause", with_hibernate::refused);
        Steps.step("view_insert", "save() of the entity of the view", with_hibernate::viewInsert);
        Steps.step("view_update", "get() of the entity of the view, a property", with_hibernate::viewUpdate);
        Steps.run("Hibernate " + Steps.jarVersion("hibernate-core") + ", Java " + Runtime.version().feature());
        app.close();
    }
}

package corpus;

import java.net.URL;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.TableConfig;
import org.apache.flink.table.api.TableException;
import org.apache.flink.table.api.bridge.internal.AbstractStreamTableEnvironmentImpl;
import org.apache.flink.table.api.bridge.java.internal.StreamTableEnvironmentImpl;
import org.apache.flink.table.api.internal.TableEnvironmentImpl;
import org.apache.flink.table.api.internal.TableResultInternal;
import org.apache.flink.table.catalog.CatalogManager;
import org.apache.flink.table.catalog.CatalogStoreHolder;
import org.apache.flink.table.catalog.FunctionCatalog;
import org.apache.flink.table.catalog.GenericInMemoryCatalog;
import org.apache.flink.table.catalog.GenericInMemoryCatalogStore;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.delegation.Executor;
import org.apache.flink.table.delegation.Planner;
import org.apache.flink.table.factories.PlannerFactoryUtil;
import org.apache.flink.table.module.ModuleManager;
import org.apache.flink.table.operations.ModifyOperation;
import org.apache.flink.table.operations.Operation;
import org.apache.flink.table.operations.QueryOperation;
import org.apache.flink.table.operations.StatementSetOperation;
import org.apache.flink.table.operations.command.ResetOperation;
import org.apache.flink.table.operations.command.SetOperation;
import org.apache.flink.table.resource.ResourceManager;
import org.apache.flink.table.runtime.typeutils.ExternalTypeInfo;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;
import org.apache.flink.util.CloseableIterator;
import org.apache.flink.util.FlinkUserCodeClassLoaders;
import org.apache.flink.util.MutableURLClassLoader;

/**
 * What Flink's gateway keeps between statements: the catalog, the modules and the settings. As there, the
 * environment is made anew for each statement, so that a SET of the mode is possible.
 */
final class Session {
    private static final String CATALOG = "default_catalog";

    private static final Pattern VALUES_VIEW =
            Pattern.compile("(?is)^CREATE\\s+VIEW\\s+(\\w+)\\s+AS\\s+SELECT\\s+\\*\\s+FROM\\s+\\(VALUES.*");

    private final StreamExecutionEnvironment streams;
    private final Executor executor;
    private final TableConfig settings = TableConfig.getDefault();
    private final MutableURLClassLoader classes;
    private final ResourceManager resources;
    private final ModuleManager modules = new ModuleManager();
    private final CatalogManager catalogs;
    private final FunctionCatalog functions;
    private final Set<String> valuesViews = new LinkedHashSet<>();
    private volatile TableResultInternal running;

    Session(MiniCluster cluster) {
        ClassLoader parent = Thread.currentThread().getContextClassLoader();
        Configuration target = new Configuration();
        target.setString("execution.target", ToCluster.NAME);
        target.setString("parallelism.default", "1");
        target.setString("restart-strategy.type", "none");
        streams = new StreamExecutionEnvironment(new ToCluster(cluster), target, parent);
        classes = FlinkUserCodeClassLoaders.create(new URL[0], parent, target);
        executor = AbstractStreamTableEnvironmentImpl.lookupExecutor(classes, streams);
        settings.setRootConfiguration(executor.getConfiguration());
        configure();
        resources = new ResourceManager(target, classes);
        catalogs = CatalogManager.newBuilder()
                .classLoader(classes)
                .config(settings)
                .executionConfig(streams.getConfig())
                .defaultCatalog(CATALOG, new GenericInMemoryCatalog(CATALOG, "default_database"))
                .catalogStoreHolder(CatalogStoreHolder.newBuilder()
                        .classloader(classes)
                        .config(settings)
                        .catalogStore(new GenericInMemoryCatalogStore())
                        .build())
                .build();
        functions = new FunctionCatalog(settings, resources, catalogs, modules);
    }

    /** The environment of the mode that is set. */
    private StreamTableEnvironmentImpl environment() {
        boolean isStreaming =
                !"batch".equalsIgnoreCase(settings.getConfiguration().getString("execution.runtime-mode", ""));
        Planner planner =
                PlannerFactoryUtil.createPlanner(executor, settings, classes, modules, catalogs, functions);
        return new StreamTableEnvironmentImpl(
                catalogs, modules, resources, functions, settings, streams, planner, executor, isStreaming);
    }

    /**
     * Flink cannot correlate a sub-query over VALUES, but it can with one over a table. So what it refuses to plan
     * is asked again with tables in the place of views of VALUES.
     */
    Answer execute(String sql, boolean isParsedOnly) throws Exception {
        Matcher view = VALUES_VIEW.matcher(sql);
        if (view.matches()) {
            valuesViews.add(view.group(1));
        }
        try {
            return executeOnce(sql, isParsedOnly);
        } catch (TableException | NullPointerException error) {
            if (isParsedOnly || valuesViews.isEmpty()) {
                throw error;
            }
            return executeOnTables(sql);
        }
    }

    private Answer executeOnTables(String sql) throws Exception {
        try {
            for (String view : valuesViews) {
                Table table = environment().sqlQuery("SELECT * FROM " + view);
                var type = ExternalTypeInfo.<Row>of(table.getResolvedSchema().toPhysicalRowDataType());
                List<Row> rows = new ArrayList<>();
                try (CloseableIterator<Row> changes = table.execute().collect()) {
                    changes.forEachRemaining(rows::add);
                }
                environment().createTemporaryView(view, streams.fromData(rows, type));
            }
            return executeOnce(sql, false);
        } finally {
            valuesViews.forEach(view -> environment().dropTemporaryView(view));
        }
    }

    private Answer executeOnce(String sql, boolean isParsedOnly) throws Exception {
        TableEnvironmentImpl tables = environment();
        List<Operation> operations = tables.getParser().parse(sql);
        if (operations.size() != 1) {
            throw new IllegalArgumentException("not one statement");
        }
        Operation operation = operations.get(0);
        if (operation instanceof SetOperation set) {
            set.getKey().ifPresent(key -> settings.set(key, set.getValue().orElse("")));
            return new Answer("", "", List.of());
        }
        if (operation instanceof ResetOperation reset) {
            reset(reset);
            return new Answer("", "", List.of());
        }
        if (isParsedOnly) {
            return new Answer("", "", List.of("accepted by the parser"));
        }
        running = tables.executeInternal(operation);
        if (operation instanceof ModifyOperation || operation instanceof StatementSetOperation) {
            running.await();
            return new Answer("", "", List.of());
        }
        return answer(running, operation instanceof QueryOperation);
    }

    /** What is set before anything is said; the rest is with the executor. */
    private void configure() {
        Configuration given = settings.getConfiguration();
        List.copyOf(given.keySet()).forEach(given::removeKey);
        settings.set("execution.runtime-mode", "streaming");
        settings.set("table.local-time-zone", "UTC");
    }

    private void reset(ResetOperation reset) {
        if (reset.getKey().isEmpty()) {
            configure();
        } else {
            settings.getConfiguration().removeKey(reset.getKey().get());
        }
    }

    void cancel() {
        TableResultInternal result = running;
        if (result != null) {
            result.getJobClient().ifPresent(job -> job.cancel());
        }
    }

    private static Answer answer(TableResultInternal result, boolean isQuery) throws Exception {
        List<DataType> types = result.getResolvedSchema().getColumnDataTypes();
        String letters = isQuery
                ? types.stream().map(type -> letter(type.getLogicalType())).collect(Collectors.joining())
                : "T".repeat(types.size());
        List<String> rows = new ArrayList<>();
        var texts = result.getRowDataToStringConverter();
        try (CloseableIterator<RowData> changes = result.collectInternal()) {
            while (changes.hasNext()) {
                RowData row = changes.next();
                String line = line(row, texts.convert(row));
                boolean isAddition =
                        row.getRowKind() == RowKind.INSERT || row.getRowKind() == RowKind.UPDATE_AFTER;
                if (isAddition) {
                    rows.add(line);
                } else if (!rows.remove(line)) {
                    throw new IllegalStateException("'" + line + "' is deleted but is not there");
                }
            }
        }
        return new Answer(letters, types.toString(), rows);
    }

    /** Cells as the files of the corpus have them. */
    private static String line(RowData row, String[] texts) {
        List<String> cells = new ArrayList<>();
        for (int column = 0; column < texts.length; column++) {
            cells.add(row.isNullAt(column) ? "NULL" : texts[column].replace("\n", "\\n"));
        }
        return String.join(" | ", cells).stripTrailing();
    }

    private static String letter(LogicalType type) {
        return switch (type.getTypeRoot()) {
            case CHAR, VARCHAR -> "T";
            case TINYINT, SMALLINT, INTEGER, BIGINT -> "I";
            case FLOAT, DOUBLE, DECIMAL -> "R";
            case BOOLEAN -> "B";
            case DATE -> "D";
            case TIMESTAMP_WITHOUT_TIME_ZONE, TIMESTAMP_WITH_LOCAL_TIME_ZONE -> "P";
            default -> "?";
        };
    }
}

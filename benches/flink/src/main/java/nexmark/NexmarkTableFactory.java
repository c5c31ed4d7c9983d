package nexmark;

import java.util.Set;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.connector.source.SourceProvider;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DynamicTableSourceFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.types.DataType;

/** {@code 'connector' = 'nexmark'}: all events as nexmark-flink's connector gives them, whole rows. */
public final class NexmarkTableFactory implements DynamicTableSourceFactory {
    private static final ConfigOption<Integer> RATE =
            ConfigOptions.key("first-event.rate").intType().defaultValue(10_000);
    private static final ConfigOption<Integer> NEXT_RATE =
            ConfigOptions.key("next-event.rate").intType().noDefaultValue();
    private static final ConfigOption<Long> EVENTS = ConfigOptions.key("events.num").longType().noDefaultValue();
    private static final ConfigOption<Integer> PERSONS = proportion("person", Rules.PERSONS);
    private static final ConfigOption<Integer> AUCTIONS = proportion("auction", Rules.AUCTIONS);
    private static final ConfigOption<Integer> BIDS = proportion("bid", Rules.BIDS);

    private static ConfigOption<Integer> proportion(String of, int value) {
        return ConfigOptions.key(of + ".proportion").intType().defaultValue(value);
    }

    @Override
    public DynamicTableSource createDynamicTableSource(Context context) {
        FactoryUtil.TableFactoryHelper helper = FactoryUtil.createTableFactoryHelper(this, context);
        helper.validate();
        var options = helper.getOptions();
        if (options.get(PERSONS) != Rules.PERSONS
                || options.get(AUCTIONS) != Rules.AUCTIONS
                || options.get(BIDS) != Rules.BIDS) {
            throw new IllegalArgumentException("the proportions are those of nexmark-flink's default");
        }
        Rules rules = new Rules(options.get(RATE), options.get(EVENTS), Rules.DEFAULT_BASE_TIME);
        return new Table(rules, context.getPhysicalRowDataType());
    }

    @Override
    public String factoryIdentifier() {
        return "nexmark";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of(EVENTS);
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of(RATE, NEXT_RATE, PERSONS, AUCTIONS, BIDS);
    }

    private record Table(Rules rules, DataType rowType) implements ScanTableSource {
        @Override
        public ChangelogMode getChangelogMode() {
            return ChangelogMode.insertOnly();
        }

        @Override
        public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
            TypeInformation<RowData> type = context.createTypeInformation(rowType);
            return SourceProvider.of(new NexmarkSource(rules, type));
        }

        @Override
        public DynamicTableSource copy() {
            return this;
        }

        @Override
        public String asSummaryString() {
            return "nexmark";
        }
    }
}

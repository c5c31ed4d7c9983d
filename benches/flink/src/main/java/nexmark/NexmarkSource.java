package nexmark;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.connector.source.lib.util.IteratorSourceEnumerator;
import org.apache.flink.api.connector.source.lib.util.IteratorSourceReader;
import org.apache.flink.api.connector.source.lib.util.IteratorSourceSplit;
import org.apache.flink.api.java.typeutils.ResultTypeQueryable;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.table.data.RowData;

/** The events of a table, shared among as many splits as there are readers; it ends behind the last one. */
record NexmarkSource(Rules rules, TypeInformation<RowData> rowType)
        implements Source<RowData, NexmarkSource.Split, Collection<NexmarkSource.Split>>,
                ResultTypeQueryable<RowData> {

    /** A split of which some events are made. */
    record Split(Rules rules, int index, int of, long made) implements IteratorSourceSplit<RowData, Events> {
        @Override
        public String splitId() {
            return Integer.toString(index);
        }

        @Override
        public Events getIterator() {
            return new Events(new Generator(rules, index, of, made));
        }

        @Override
        public Split getUpdatedSplitForIterator(Events events) {
            return new Split(rules, index, of, events.generator.made());
        }
    }

    /** The events that a split has still to make. */
    record Events(Generator generator) implements Iterator<RowData> {
        @Override
        public boolean hasNext() {
            return generator.hasNext();
        }

        @Override
        public RowData next() {
            return generator.next();
        }
    }

    @Override
    public Boundedness getBoundedness() {
        return Boundedness.BOUNDED;
    }

    @Override
    public SplitEnumerator<Split, Collection<Split>> createEnumerator(SplitEnumeratorContext<Split> context) {
        List<Split> splits = new ArrayList<>();
        for (int index = 0; index < context.currentParallelism(); index++) {
            splits.add(new Split(rules, index, context.currentParallelism(), 0));
        }
        return new IteratorSourceEnumerator<>(context, splits);
    }

    @Override
    public SplitEnumerator<Split, Collection<Split>> restoreEnumerator(
            SplitEnumeratorContext<Split> context, Collection<Split> splits) {
        return new IteratorSourceEnumerator<>(context, splits);
    }

    @Override
    public SourceReader<RowData, Split> createReader(SourceReaderContext context) {
        return new IteratorSourceReader<>(context);
    }

    @Override
    public SimpleVersionedSerializer<Split> getSplitSerializer() {
        return new SplitSerializer();
    }

    @Override
    public SimpleVersionedSerializer<Collection<Split>> getEnumeratorCheckpointSerializer() {
        return new SplitsSerializer();
    }

    @Override
    public TypeInformation<RowData> getProducedType() {
        return rowType;
    }

    private static void write(Split split, DataOutputStream out) throws IOException {
        out.writeInt(split.rules.eventsPerSecond());
        out.writeLong(split.rules.maxEvents());
        out.writeLong(split.rules.baseTime());
        out.writeInt(split.index);
        out.writeInt(split.of);
        out.writeLong(split.made);
    }

    private static Split read(DataInputStream in) throws IOException {
        Rules rules = new Rules(in.readInt(), in.readLong(), in.readLong());
        return new Split(rules, in.readInt(), in.readInt(), in.readLong());
    }

    private static final class SplitSerializer implements SimpleVersionedSerializer<Split> {
        @Override
        public int getVersion() {
            return 1;
        }

        @Override
        public byte[] serialize(Split split) throws IOException {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            write(split, new DataOutputStream(bytes));
            return bytes.toByteArray();
        }

        @Override
        public Split deserialize(int version, byte[] bytes) throws IOException {
            return read(new DataInputStream(new ByteArrayInputStream(bytes)));
        }
    }

    private static final class SplitsSerializer implements SimpleVersionedSerializer<Collection<Split>> {
        @Override
        public int getVersion() {
            return 1;
        }

        @Override
        public byte[] serialize(Collection<Split> splits) throws IOException {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            DataOutputStream out = new DataOutputStream(bytes);
            out.writeInt(splits.size());
            for (Split split : splits) {
                write(split, out);
            }
            return bytes.toByteArray();
        }

        @Override
        public Collection<Split> deserialize(int version, byte[] bytes) throws IOException {
            DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes));
            List<Split> splits = new ArrayList<>();
            for (int left = in.readInt(); left > 0; left--) {
                splits.add(read(in));
            }
            return splits;
        }
    }
}

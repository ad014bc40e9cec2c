using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Verification;

/// <summary>
/// A graph in canonical form: each value stands for what computes it, by operators, attributes and operands down to inputs (by name) and constants (by type, shape and content,
/// wherever they are stored). Names of inner values, the order of nodes, and where data lies do not count. Tensors are hashed in place, never copied.
/// </summary>
internal sealed class ValueFlow
{
    private const string Main = "main", Inner = "inner", Function = "function";
    private readonly Func<TensorProto, UInt128> content;
    private readonly Func<string, UInt128?> outer;
    private readonly Dictionary<string, UInt128> values = [];
    private readonly UInt128[] hashes;

    private ValueFlow(GraphProto graph, Func<TensorProto, UInt128> content, Func<string, UInt128?> outer, string kind)
    {
        this.content = content;
        this.outer = outer;
        View = new GraphView(graph, kind == Inner ? GraphView.Captured(graph) : null);
        for (int i = 0; i < graph.Input.Count; i++)
        {
            values[graph.Input[i].Name] = kind == Main ? new Hasher().Text("input").Text(graph.Input[i].Name).Result() : new Hasher().Text(kind).Number(i).Result();
        }

        foreach (TensorProto tensor in graph.Initializer)
        {
            // A default that the caller may override is no constant.
            values[tensor.Name] = values.TryGetValue(tensor.Name, out UInt128 input) ? new Hasher().Text("default").Number(input).Number(content(tensor)).Result() : content(tensor);
        }

        foreach (SparseTensorProto sparse in graph.SparseInitializer.Where(s => s.Values is not null))
        {
            values[sparse.Values.Name] = Sparse(sparse);
        }

        hashes = new UInt128[View.Nodes.Count];
        for (int node = 0; node < hashes.Length; node++)
        {
            Visit(node);
        }
    }

    /// <summary>The graph's nodes in topological order.</summary>
    public GraphView View { get; }

    /// <summary>Nodes that compute something; a Constant node is a constant.</summary>
    public IEnumerable<(NodeProto Node, UInt128 Hash)> Nodes => View.Nodes.Zip(hashes).Where(n => !Weights.IsStored(n.First));

    /// <summary>Constants that nothing reads, by hash.</summary>
    public IEnumerable<(string Name, UInt128 Hash)> Unread => View.Graph.Initializer.Select(i => i.Name)
        .Concat(View.Nodes.Where(Weights.IsStored).Select(n => n.Output[0]))
        .Where(name => View.Consumers(name).Count == 0 && !View.IsOutput(name)).Select(name => (name, values[name]));

    public static ValueFlow Of(OnnxModel model, ModelProto? proto = null) =>
        new((proto ?? model.Proto).Graph, tensor => Content(tensor, model.External), _ => null, Main);

    /// <summary>Canonical form of a function of the model's own.</summary>
    public static UInt128 Of(FunctionProto function, OnnxModel model)
    {
        var graph = new GraphProto();
        graph.Node.AddRange(function.Node);
        graph.Input.AddRange(function.Input.Select(i => new ValueInfoProto { Name = i }));
        graph.Output.AddRange(function.Output.Select(o => new ValueInfoProto { Name = o }));
        var flow = new ValueFlow(graph, tensor => Content(tensor, model.External), _ => null, Function);
        Hasher hasher = new Hasher().Text(string.Join(' ', function.Attribute)).Number(flow.Summary(_ => new TypeProto()));
        foreach (AttributeProto attribute in function.AttributeProto.OrderBy(a => a.Name, StringComparer.Ordinal))
        {
            flow.Attribute(hasher, attribute);
        }

        return hasher.Text(string.Join(' ', function.OpsetImport.Select(o => $"{o.Domain}:{o.Version}").Order(StringComparer.Ordinal))).Result();
    }

    /// <summary>What a value stands for, or null when the graph does not have it.</summary>
    public UInt128? Value(string name) => values.TryGetValue(name, out UInt128 known) ? known : outer(name);

    private void Visit(int index)
    {
        NodeProto node = View.Nodes[index];
        if (Weights.Stored(node) is TensorProto constant)
        {
            values[node.Output[0]] = content(constant);
            return;
        }

        Hasher hasher = new Hasher().Text(node.Operator()).Text(node.Overload).Number(node.Input.Count);
        foreach (string input in node.Input)
        {
            hasher.Number(input.Length == 0 ? UInt128.Zero : Value(input)!.Value);
        }

        foreach (AttributeProto attribute in node.Attribute.OrderBy(a => a.Name, StringComparer.Ordinal))
        {
            Attribute(hasher, attribute);
        }

        hasher.Text(string.Concat(node.Output.Select(o => o.Length > 0 ? '1' : '0')).TrimEnd('0'));
        if (RandomOperators.Draws(node, _ => false))
        {
            // Two of them are never the same value, though they look alike.
            hasher.Text(node.Output[0]);
        }

        hashes[index] = hasher.Result();
        for (int output = 0; output < node.Output.Count; output++)
        {
            if (node.Output[output].Length > 0)
            {
                values[node.Output[output]] = new Hasher().Number(hashes[index]).Number(output).Result();
            }
        }
    }

    private void Attribute(Hasher hasher, AttributeProto attribute)
    {
        hasher.Text(attribute.Name);
        AttributeProto rest = attribute.Clone();
        rest.ClearDocString();
        (rest.T, rest.G, rest.SparseTensor) = (null, null, null);
        rest.Tensors.Clear();
        rest.Graphs.Clear();
        rest.SparseTensors.Clear();
        hasher.Bytes(rest.ToByteArray());
        foreach (TensorProto tensor in attribute.T is null ? attribute.Tensors : attribute.Tensors.Prepend(attribute.T))
        {
            hasher.Number(content(tensor));
        }

        foreach (SparseTensorProto sparse in attribute.SparseTensor is null ? attribute.SparseTensors : attribute.SparseTensors.Prepend(attribute.SparseTensor))
        {
            hasher.Number(Sparse(sparse));
        }

        foreach (GraphProto inner in attribute.G is null ? attribute.Graphs : attribute.Graphs.Prepend(attribute.G))
        {
            hasher.Number(new ValueFlow(inner, content, Value, Inner).Summary(v => v.Type ?? new TypeProto()));
        }
    }

    /// <summary>An inner graph as a whole: its interface by order and type, and all that it computes.</summary>
    private UInt128 Summary(Func<ValueInfoProto, TypeProto> type)
    {
        Hasher hasher = new Hasher().Number(View.Graph.Input.Count);
        foreach (ValueInfoProto input in View.Graph.Input)
        {
            hasher.Bytes(type(input).ToByteArray());
        }

        foreach (ValueInfoProto output in View.Graph.Output)
        {
            hasher.Number(Value(output.Name) ?? UInt128.Zero).Bytes(type(output).ToByteArray());
        }

        foreach (UInt128 node in Nodes.Select(n => n.Hash).Concat(Unread.Select(u => u.Hash)).Order())
        {
            hasher.Number(node);
        }

        return hasher.Result();
    }

    private UInt128 Sparse(SparseTensorProto sparse) => new Hasher().Text("sparse").Text(string.Join(',', sparse.Dims))
        .Number(sparse.Values is null ? UInt128.Zero : content(sparse.Values)).Number(sparse.Indices is null ? UInt128.Zero : content(sparse.Indices)).Result();

    /// <summary>Type, shape and content of a tensor.</summary>
    internal static UInt128 Content(TensorProto tensor, ExternalData external)
    {
        Hasher hasher = new Hasher().Text("constant").Number(tensor.DataType).Text(string.Join(',', tensor.Dims));
        if (tensor.DataType == ElementType.String)
        {
            foreach (ByteString text in tensor.StringData)
            {
                hasher.Bytes(text.Span);
            }

            return hasher.Result();
        }

        if (!ModelTensors.IsExternal(tensor))
        {
            return hasher.Bytes(SHA256.HashData(TensorProtos.Read(tensor, external).Bytes.Span)).Result();
        }

        // Of any size, and not mapped: what was read once need not stay.
        using IncrementalHash sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        external.Locate(tensor).Read(sha.AppendData);
        return hasher.Bytes(sha.GetHashAndReset()).Result();
    }

    /// <summary>SHA-256 of parts, each behind its length; the first 128 bits of it.</summary>
    private sealed class Hasher
    {
        private readonly IncrementalHash sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        public Hasher Text(string text) => Bytes(Encoding.UTF8.GetBytes(text));

        public Hasher Bytes(ReadOnlySpan<byte> bytes)
        {
            Number(bytes.Length);
            sha.AppendData(bytes);
            return this;
        }

        public Hasher Number(long number) => Number((UInt128)(ulong)number);

        public Hasher Number(UInt128 number)
        {
            sha.AppendData(MemoryMarshal.AsBytes(new ReadOnlySpan<UInt128>(in number)));
            return this;
        }

        public UInt128 Result()
        {
            using (sha)
            {
                return BinaryPrimitives.ReadUInt128LittleEndian(sha.GetHashAndReset());
            }
        }
    }
}

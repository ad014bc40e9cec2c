using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Execution;

/// <summary>
/// Element types and shapes of all values of a model's main graph, as ONNX Runtime infers them. Weights are declared, not loaded, so
/// that the memory needed is that of the graph.
/// </summary>
public static class TypeInference
{
    /// <summary>Initializers up to this many bytes stay, since shapes and axes are inferred from their values.</summary>
    private const int SmallInitializer = 4096;

    /// <param name="known">Types known from elsewhere, such as a run; what they say of a value holds for it and those computed from it.</param>
    /// <returns>By value name, what is known of it; inputs and initializers included.</returns>
    /// <exception cref="MixedPrecisionException">MPB2008: ONNX Runtime rejects the model.</exception>
    public static IReadOnlyDictionary<string, TensorType> Infer(OnnxModel model, IReadOnlyDictionary<string, TensorType>? known = null)
    {
        // The runtime writes its own format instead where a name happens to end in ".ort".
        string file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".onnx");
        try
        {
            ModelProto probe = Probe(model, known);
            Session.Create(probe, SessionSettings.Types(file)).Dispose();
            GraphProto resolved = ModelProto.Parser.ParseFrom(File.ReadAllBytes(file)).Graph;
            var types = new Dictionary<string, TensorType>();
            foreach (ValueInfoProto value in resolved.ValueInfo.Concat(resolved.Input).Concat(resolved.Output))
            {
                types[value.Name] = TensorType.Read(value.Type);
            }

            foreach (TensorProto initializer in model.Graph.Initializer)
            {
                types[initializer.Name] = new TensorType(initializer.DataType, [.. initializer.Dims.Select(Dimension.Of)]);
            }

            return types;
        }
        catch (OnnxRuntimeException e)
        {
            throw Errors.RuntimeRejects(model.DisplayName, e.Message.Replace('\n', ' '));
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>The types with ranks that only a run shows, since shapes are computed; sizes stay open.</summary>
    /// <param name="inputs">Values of the model's inputs.</param>
    public static IReadOnlyDictionary<string, TensorType> Complete(
        OnnxModel model, IReadOnlyDictionary<string, TensorType> types, IReadOnlyDictionary<string, Tensor> inputs)
    {
        HashSet<string> computed = [.. model.Graph.Node.SelectMany(n => n.Output)];
        string[] open = [.. types.Where(t => t.Value.Shape is null && t.Value.ElementType != 0 && computed.Contains(t.Key)).Select(t => t.Key)];
        if (open.Length == 0)
        {
            return types;
        }

        ModelProto probe = model.Proto.Clone();
        probe.Graph.Output.Clear();
        probe.Graph.Output.AddRange(open.Select(o => new ValueInfoProto { Name = o }));
        var completed = new Dictionary<string, TensorType>(types);
        try
        {
            using Session session = Session.Create(probe, SessionSettings.Plain, model.Folder);
            foreach ((string name, Tensor value) in session.Run(inputs))
            {
                completed[name] = new TensorType(value.ElementType, [.. value.Shape.Select(_ => Dimension.Unknown)]);
            }
        }
        catch (OnnxRuntimeException e)
        {
            throw Errors.RuntimeRejects(model.DisplayName, e.Message.Replace('\n', ' '));
        }

        return completed;
    }

    /// <summary>The model with large initializers as inputs and every value as an output.</summary>
    private static ModelProto Probe(OnnxModel model, IReadOnlyDictionary<string, TensorType>? known)
    {
        var graph = new GraphProto { Name = "types" };
        graph.Node.AddRange(model.Graph.Node);
        HashSet<string> weights = [.. model.Initializers.Values.Where(t => t.DataType != ElementType.String && (TensorProtos.ByteCount(t) > SmallInitializer || t.DataLocation == 1)).Select(t => t.Name)];
        graph.Input.AddRange(model.Inputs.Select(i => known?.GetValueOrDefault(i.Name) is { Shape: not null } type ? type.ToProto(i.Name) : i));
        foreach (TensorProto initializer in model.Graph.Initializer)
        {
            if (weights.Contains(initializer.Name))
            {
                graph.Input.Add(new TensorType(initializer.DataType, [.. initializer.Dims.Select(Dimension.Of)]).ToProto(initializer.Name));
            }
            else
            {
                graph.Initializer.Add(initializer);
            }
        }

        graph.SparseInitializer.AddRange(model.Graph.SparseInitializer);
        HashSet<string> declared = [.. model.Graph.Output.Select(o => o.Name)];
        graph.Output.AddRange(model.Graph.Output);
        foreach (string output in model.Graph.Node.SelectMany(n => n.Output).Where(o => o.Length > 0 && declared.Add(o)))
        {
            graph.Output.Add(known?.GetValueOrDefault(output) is { Shape: not null } type ? type.ToProto(output) : new ValueInfoProto { Name = output });
        }

        // The runtime writes what it inferred only if it changed the graph: give it something to fold, which it has in all operator sets.
        var builder = new GraphBuilder(GraphBuilder.NamesIn(graph), "types/");
        graph.Output.Add(new ValueInfoProto { Name = builder.Node("Transpose", [builder.Constant(Tensor.Of<float>([1, 2], 1, 2))]) });
        builder.AppendTo(graph);

        var probe = new ModelProto { IrVersion = Math.Max(model.Proto.IrVersion, 4), Graph = graph };
        probe.OpsetImport.AddRange(model.Proto.OpsetImport);
        probe.Functions.AddRange(model.Proto.Functions);
        return probe;
    }
}

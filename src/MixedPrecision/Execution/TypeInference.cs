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
    /// <summary>
    /// What is known of each value, inputs and initializers included; a value of which nothing is known is absent. Those that are no tensors have no element type. ONNX
    /// Runtime is asked by a probe, a changed model; where it takes the model and not the probe, what the file declares is taken, and <see cref="Complete"/> finds the rest.
    /// </summary>
    /// <param name="known">Types known from elsewhere, such as a run; what they say of a value holds for it and those computed from it.</param>
    /// <exception cref="MixedPrecisionException">MPB2008: ONNX Runtime rejects the model.</exception>
    public static IReadOnlyDictionary<string, TensorType> Infer(OnnxModel model, IReadOnlyDictionary<string, TensorType>? known = null)
    {
        Dictionary<string, TensorType> types;
        if (Resolve(model, TypeProbe.Of(model, known, hasAllValues: true)) is { } resolved)
        {
            types = resolved;
        }
        else if (known is not null)
        {
            // Sizes that hold for the samples at hand may be those of one branch, which makes the other one no valid graph.
            types = new(Infer(model));
            foreach ((string name, TensorType type) in known)
            {
                types[name] = !types.TryGetValue(name, out TensorType? own) ? type : own.Shape is null && own.ElementType == type.ElementType ? WithOpenSizes(type) : own;
            }

            return types;
        }
        else
        {
            RequireLoading(model);
            types = Resolve(model, TypeProbe.Of(model, null, hasAllValues: false)) ?? [];
            foreach (ValueInfoProto value in model.Graph.ValueInfo.Concat(model.Graph.Input).Concat(model.Graph.Output).Where(v => v.Type is not null))
            {
                types.TryAdd(value.Name, TensorType.Read(value.Type));
            }
        }

        foreach (TensorProto initializer in model.Graph.Initializer)
        {
            types[initializer.Name] = new TensorType(initializer.DataType, [.. initializer.Dims.Select(Dimension.Of)]);
        }

        return types;
    }

    /// <summary>Whether a run would show more: <see cref="Complete"/>.</summary>
    public static bool NeedsRun(OnnxModel model, IReadOnlyDictionary<string, TensorType> types) => Open(model, types).Any();

    /// <summary>The types with ranks that only a run shows, since shapes are computed or not declared; sizes stay open.</summary>
    /// <param name="inputs">Values of the model's inputs.</param>
    /// <exception cref="MixedPrecisionException">MPB2008: the model does not run on these inputs.</exception>
    public static IReadOnlyDictionary<string, TensorType> Complete(
        OnnxModel model, IReadOnlyDictionary<string, TensorType> types, IReadOnlyDictionary<string, Tensor> inputs)
    {
        var completed = new Dictionary<string, TensorType>(types);
        foreach (string input in Open(model, types).Where(inputs.ContainsKey).ToArray())
        {
            completed[input] = WithOpenSizes(TensorType.Of(inputs[input]));
        }

        // A value that the runtime does not hand out, such as one of 4 bits, fails the whole probe: it is found by halves, and stays unknown.
        var parts = new Stack<string[]>([[.. Open(model, completed)]]);
        bool runs = false;
        while (parts.TryPop(out string[]? open))
        {
            if (open.Length == 0)
            {
                continue;
            }

            try
            {
                foreach ((string name, Tensor value) in Run(model, open, inputs))
                {
                    completed[name] = WithOpenSizes(TensorType.Of(value));
                }
            }
            catch (OnnxRuntimeException)
            {
                if (!runs)
                {
                    RequireRunning(model, inputs);
                    runs = true;
                }

                if (open.Length > 1)
                {
                    parts.Push(open[(open.Length / 2)..]);
                    parts.Push(open[..(open.Length / 2)]);
                }
            }
        }

        return completed;
    }

    /// <summary>Inputs and computed values whose rank, or even kind, is not known.</summary>
    private static IEnumerable<string> Open(OnnxModel model, IReadOnlyDictionary<string, TensorType> types) => model.Inputs.Select(i => i.Name)
        .Concat(model.Graph.Node.SelectMany(n => n.Output).Where(o => o.Length > 0))
        .Where(v => !types.TryGetValue(v, out TensorType? type) || (type.Shape is null && ElementType.BitsOf(type.ElementType) > 0));

    private static TensorType WithOpenSizes(TensorType type) => type with { Shape = type.Shape?.Select(_ => Dimension.Unknown).ToArray() };

    private static IReadOnlyDictionary<string, Tensor> Run(OnnxModel model, IEnumerable<string> outputs, IReadOnlyDictionary<string, Tensor> inputs)
    {
        ModelProto probe = model.Proto.Clone();
        probe.Graph.Output.Clear();
        probe.Graph.Output.AddRange(outputs.Select(o => new ValueInfoProto { Name = o }));
        using Session session = Session.Create(probe, SessionSettings.Plain, model.Folder);
        return session.Run(inputs);
    }

    private static void RequireRunning(OnnxModel model, IReadOnlyDictionary<string, Tensor> inputs)
    {
        try
        {
            using Session session = Session.Create(model.Proto, SessionSettings.Plain, model.Folder);
            session.Run(inputs);
        }
        catch (OnnxRuntimeException e)
        {
            throw Errors.RuntimeRejects(model.DisplayName, $"it does not run on the first sample ({e.Message.Replace('\n', ' ')})");
        }
    }

    private static void RequireLoading(OnnxModel model)
    {
        try
        {
            Session.Create(model.Proto, SessionSettings.Plain, model.Folder).Dispose();
        }
        catch (OnnxRuntimeException e)
        {
            string reason = e.Message.Replace('\n', ' ');
            throw Errors.RuntimeRejects(model.DisplayName, CustomOperator(model) is { } custom
                ? $"'{Wording.Escape(custom.OpType)}' of the domain '{Wording.Escape(custom.Domain)}' is no operator of its own, and libraries of custom operators are not loaded here; keep such operators in a model of their own ({reason})"
                : reason);
        }
    }

    /// <summary>A node of the main graph that is neither of a domain of the runtime's nor a function of the model's own.</summary>
    private static NodeProto? CustomOperator(OnnxModel model)
    {
        HashSet<(string, string)> functions = [.. model.Proto.Functions.Select(f => (f.Domain, f.Name))];
        return model.Graph.Node.FirstOrDefault(n => n.Domain is not ("" or "ai.onnx" or "ai.onnx.ml" or "ai.onnx.training" or "ai.onnx.preview.training" or "com.microsoft" or "com.microsoft.nchwc"
            or "com.ms.internal.nhwc") && !functions.Contains((n.Domain, n.OpType)));
    }

    /// <summary>The types of a probe's values, or null when the runtime does not take it.</summary>
    private static Dictionary<string, TensorType>? Resolve(OnnxModel model, ModelProto probe)
    {
        // The runtime writes its own format instead where a name happens to end in ".ort".
        string file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".onnx");
        try
        {
            Session.Create(probe, SessionSettings.Types(file), model.Folder).Dispose();
            GraphProto resolved = ModelProto.Parser.ParseFrom(File.ReadAllBytes(file)).Graph;
            var types = new Dictionary<string, TensorType>();
            foreach (ValueInfoProto value in resolved.ValueInfo.Concat(resolved.Input).Concat(resolved.Output))
            {
                types[value.Name] = TensorType.Read(value.Type);
            }

            return types;
        }
        catch (OnnxRuntimeException)
        {
            return null;
        }
        finally
        {
            File.Delete(file);
        }
    }
}

using System.Security.Cryptography;
using Google.Protobuf;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Calibration;

/// <summary>A segment with the program that runs it.</summary>
/// <param name="Originals">Canonical name of the program → name in the model.</param>
/// <param name="Weights">Canonical names of the weights that are fed.</param>
/// <param name="Layers">The layers that the loss depends on and whose gradient can be told.</param>
internal sealed record SegmentInstance(
    SegmentProgram Program,
    IReadOnlyDictionary<string, string> Originals,
    IReadOnlyList<string> Weights,
    IReadOnlyList<(LayerSite Site, LayerProgram Program)> Layers);

/// <summary>Compiles segments; those of equal structure share one program.</summary>
internal sealed class SegmentPrograms(CalibrationRequest request, IReadOnlyDictionary<string, TensorType> types, GradientValues values, bool keepsLayerValues) : IDisposable
{
    private readonly Dictionary<string, SegmentProgram> programs = [];

    public SegmentInstance Get(Segment segment)
    {
        CanonicalSubgraph canonical = Embed(Extraction.Canonical(request.Model, request.Partition, types, segment.Nodes), segment.IsWhole);
        IReadOnlyDictionary<string, string> originals = canonical.Originals;
        var names = new Dictionary<string, string>();
        foreach ((string name, string original) in originals)
        {
            names.TryAdd(original, name);
        }

        HashSet<string> Named(IReadOnlySet<string> set) => [.. originals.Where(o => set.Contains(o.Value)).Select(o => o.Key)];
        var sites = segment.Sites.ToDictionary(s => names[s.Layer.Output], s => s with
        {
            Layer = s.Layer with
            {
                Input = names[s.Layer.Input],
                Weight = names[s.Layer.Weight],
                Recurrence = s.Layer.Recurrence is { } recurrence ? recurrence with { Name = names[recurrence.Name] } : null,
                Further = [.. s.Layer.Further.Where(f => !request.Partition.View.Constants.Contains(f)).Select(f => names[f])],
                Output = names[s.Layer.Output],
                FurtherOutputs = [.. s.Layer.FurtherOutputs.Select(o => names[o])],
            },
        });
        var segmentRequest = new SegmentRequest(
            canonical.Extracted,
            Rename(originals),
            sites,
            Named(values.Wanted),
            Named(values.Operands),
            Named(values.Held),
            Named(values.Hidden),
            new HashSet<string>(sites.Where(s => s.Value.IsEmbedding || WeightSquares.IsTiled(s.Value, request.Memory) || GroupedKernelGradient.Applies(s.Value)).Select(s => s.Key)),
            request.Formats,
            request.TakesRise,
            keepsLayerValues);
        SegmentProgram program;
        if (segment.IsWhole)
        {
            SessionSettings settings = SessionSettings.Default with { Threads = request.Threads };
            programs.Add("", program = SegmentCompiler.Compile(segmentRequest, request.Model, settings));
        }
        else if (!programs.TryGetValue(Key(segmentRequest), out program!))
        {
            SessionSettings settings = SessionSettings.Default with { Threads = request.Threads, Prepacking = false, ReuseMemory = false };
            programs.Add(Key(segmentRequest), program = SegmentCompiler.Compile(segmentRequest, request.Model, settings));
        }

        return new SegmentInstance(
            program,
            originals,
            canonical.Extracted.Weights,
            [.. segment.Sites.Select(s => (s, program.Layers[names[s.Layer.Output]])).Where(l => l.Item2.OutputGradient is not null)]);
    }

    public void Dispose()
    {
        foreach (SegmentProgram program in programs.Values)
        {
            program.Dispose();
        }
    }

    /// <summary>
    /// The segment with weights as initializers, for the runtime to lay out and fold: all of them, or the scalars alone. A scalar says
    /// what to compute: the runtime fuses a normalization that is written out, and takes an epsilon of its own if that is no constant.
    /// </summary>
    private CanonicalSubgraph Embed(CanonicalSubgraph canonical, bool all)
    {
        ExtractedSubgraph extracted = canonical.Extracted;
        var embedded = extracted.Weights
            .Where(w => all || types.GetValueOrDefault(canonical.Originals[w])?.StaticShape() is { } shape && Tensor.ElementCount(shape) == 1)
            .ToDictionary(w => w, w => Partitioning.Weights.Read(request.Model, request.Partition.View, canonical.Originals[w])!.ToProto(w));
        ModelProto model = extracted.Model.Clone();
        ValueInfoProto[] inputs = [.. model.Graph.Input.Where(i => !embedded.ContainsKey(i.Name))];
        model.Graph.Input.Clear();
        model.Graph.Input.AddRange(inputs);
        model.Graph.Initializer.AddRange(embedded.Values);
        return canonical with { Extracted = extracted with { Model = model, Weights = [.. extracted.Weights.Where(w => !embedded.ContainsKey(w))] } };
    }

    private Dictionary<string, TensorType> Rename(IReadOnlyDictionary<string, string> originals) =>
        originals.Where(o => types.ContainsKey(o.Value)).ToDictionary(o => o.Key, o => types[o.Value]);

    /// <summary>All that the program depends on. Symbols count by where they agree, not by their names.</summary>
    private static string Key(SegmentRequest request)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(request.Extracted.Model.ToByteArray());
        var symbols = new Dictionary<string, int>();
        foreach ((string name, TensorType type) in request.Types.OrderBy(t => t.Key, StringComparer.Ordinal))
        {
            string shape = type.Shape is null ? "?" : string.Join(',', type.Shape.Select(d =>
                d.Symbol is string symbol ? $"#{(symbols.TryGetValue(symbol, out int number) ? number : symbols[symbol] = symbols.Count)}" : $"{d}"));
            string flags = $"{request.Wanted.Contains(name)} {request.Operands.Contains(name)} {request.Held.Contains(name)} {request.Hidden.Contains(name)} {request.Apart.Contains(name)} {request.Sites.ContainsKey(name)} {request.Sites.GetValueOrDefault(name)?.Ranges?.Text}";
            hash.AppendData(System.Text.Encoding.UTF8.GetBytes($"{name} {type.ElementType} {shape} {flags}\n"));
        }

        return Convert.ToHexString(hash.GetHashAndReset());
    }
}

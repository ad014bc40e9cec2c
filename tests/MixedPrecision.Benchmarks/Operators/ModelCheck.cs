using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Onnx.Lowering;
using MixedPrecision.Pipeline;
using RunOptions = MixedPrecision.Pipeline.RunOptions;

namespace MixedPrecision.Benchmarks.Operators;

/// <summary>What came out for one model.</summary>
internal enum Outcome
{
    Right,

    /// <summary>Right, though ONNX Runtime does not run the model itself: its lowered form does.</summary>
    RightOnlyLowered,

    /// <summary>Right wherever the loss has a derivative.</summary>
    RightButForKinks,
    Wrong,
    Refused,

    /// <summary>ONNX Runtime does not run the model itself, and there is no gradient either.</summary>
    NotRun,

    /// <summary>No floating output, so no loss.</summary>
    NoLoss,
}

/// <summary>The verb `gradient` on one model, and its result in ONNX Runtime against differences.</summary>
internal sealed class ModelCheck(ModelFolder folder, string scratch)
{
    private const double LossTolerance = 1e-4;
    private const int InnerValues = 12;
    private readonly List<string> notes = [];

    /// <summary>Lines about what is not simply right.</summary>
    public IReadOnlyList<string> Notes => notes;

    public Outcome Run()
    {
        if (folder.Problem is not null)
        {
            return Say(Outcome.NotRun, folder.Problem);
        }

        Dictionary<string, Tensor> outputs, inner = [];
        bool isRandom = false;
        string? notRun = null;
        try
        {
            using var runtime = new RuntimeModel(folder.Proto);
            outputs = runtime.Run(folder.Inputs);

            // A generator with the seed 0 gives the same numbers twice before others.
            isRandom = !Equal(outputs, runtime.Run(folder.Inputs)) || !Equal(outputs, runtime.Run(folder.Inputs));
            inner = isRandom ? [] : InnerOf(outputs);
        }
        catch (Exception e) when (e is OnnxRuntimeException or KeyNotFoundException)
        {
            // What the gradient model makes of such a model is compared with the results of ONNX's reference, and differences are taken on its lowered form.
            outputs = new(folder.Expected);
            notRun = e.Message;
        }

        var projection = RandomProjection.Draw(outputs, seed: 1);
        if (projection.IsEmpty)
        {
            return Outcome.NoLoss;
        }

        try
        {
            return Worst(Compare(projection, outputs, inner, isRandom, notRun is not null), notRun is null ? Outcome.Right : Outcome.RightOnlyLowered);
        }
        catch (Exception e) when (notRun is not null && e is MixedPrecisionException or OnnxRuntimeException)
        {
            return Say(Outcome.NotRun, $"{notRun}; nor is there a gradient: {e.Message}");
        }
        catch (MixedPrecisionException e)
        {
            return Say(Outcome.Refused, $"{e.Diagnostic.Code.Id} {e.Message}");
        }
        catch (OnnxRuntimeException e)
        {
            return Say(Outcome.Wrong, $"the gradient model does not run: {e.Message}");
        }
    }

    private Outcome Compare(RandomProjection projection, Dictionary<string, Tensor> outputs, Dictionary<string, Tensor> inner, bool isRandom, bool lowered)
    {
        HashSet<string> weights = [.. folder.Proto.Graph.Initializer.Where(i => ElementType.IsFloating(i.DataType)).Select(i => i.Name)];
        string[] inputs = [.. folder.Proto.Graph.Input.Where(i => ElementType.IsFloating(TensorType.Read(i.Type).ElementType) && !weights.Contains(i.Name)).Select(i => i.Name)];
        Dictionary<string, Tensor> first = Gradients(projection, LossForm.AllAxes, null);
        Outcome outcome = CheckOutputs(first, inputs, projection.Terms(outputs), outputs, isRandom);
        foreach (LossForm form in new[] { LossForm.NamedAxes, LossForm.InnerProduct })
        {
            outcome = Worst(outcome, Same(first, Gradients(projection, form, null), form));
        }

        if (weights.Count + inner.Count > 0)
        {
            string[] asked = [.. weights, .. inner.Keys];
            foreach ((string name, Tensor value) in Gradients(projection, LossForm.AllAxes, asked))
            {
                first[name] = value;
            }

            inputs = [.. inputs, .. asked];
        }

        using OnnxModel? low = lowered ? Lowered() : null;
        using var forward = Instrumented.Make(low?.Proto ?? folder.Proto, folder.Inputs, outputs, inner, isRandom);
        foreach (string input in inputs.Where(i => first.ContainsKey(i + ".grad")))
        {
            double[] gradient = Reals.Of(first[input + ".grad"]), at = forward.ValueOf(input);
            if (gradient.Length != at.Length)
            {
                outcome = Say(Outcome.Wrong, $"{input}: the gradient's shape is [{string.Join(", ", first[input + ".grad"].Shape)}]");
                continue;
            }

            var differences = new Differences((direction, distance) => projection.Terms(Moved(forward, input, direction, distance, outputs)), forward.IsDouble);
            Comparison[] odd = [.. differences.Compare(gradient, at, new Random(2)).Where(c => c.Verdict != Verdict.Right)];
            if (odd.Length > 0)
            {
                Verdict worst = odd.Max(o => o.Verdict);
                Comparison shown = odd.First(o => o.Verdict == worst);
                outcome = Worst(outcome, Say(worst == Verdict.Wrong ? Outcome.Wrong : Outcome.RightButForKinks, $"{input}: {worst}, {odd.Length} of {at.Length}, {(forward.IsDouble ? "double" : "float")}: {shown.Text}"));
            }
        }

        return outcome;
    }

    /// <summary>A difference across which a shape changes is none.</summary>
    private static Dictionary<string, Tensor> Moved(Instrumented forward, string input, double[] direction, double distance, Dictionary<string, Tensor> outputs)
    {
        try
        {
            var moved = new Dictionary<string, Tensor>(forward.Run(input, direction, distance));
            bool same = outputs.All(o => moved[o.Key].Shape.SequenceEqual(o.Value.Shape));
            return same ? moved : NotFinite(outputs);
        }
        catch (OnnxRuntimeException)
        {
            return NotFinite(outputs);
        }
    }

    private static Dictionary<string, Tensor> NotFinite(Dictionary<string, Tensor> outputs) => outputs.Where(o => ElementType.IsFloating(o.Value.ElementType))
        .ToDictionary(o => o.Key, o => Reals.ToTensor([.. Enumerable.Repeat(double.NaN, (int)o.Value.Count)], o.Value.Shape, o.Value.ElementType));

    private Outcome CheckOutputs(Dictionary<string, Tensor> results, string[] inputs, double[] terms, Dictionary<string, Tensor> outputs, bool isRandom)
    {
        Outcome outcome = Outcome.Right;
        double expected = terms.Sum();
        double loss = Reals.Of(results[RandomProjection.Loss])[0];
        bool half = outputs.Values.Any(o => HalfPrecision.IsHalf(o.ElementType));
        if (double.IsFinite(expected) && Math.Abs(loss - expected) > (half ? 10 : 1) * LossTolerance * Math.Max(1, terms.Sum(Math.Abs)))
        {
            outcome = isRandom
                ? Say(Outcome.RightButForKinks, "random numbers are drawn anew for each model")
                : Say(Outcome.Wrong, $"the loss is {loss:G6}, that of the model {expected:G6}");
        }

        string[] missing = [.. inputs.Where(i => !results.ContainsKey(i + ".grad"))];
        return missing.Length == 0 ? outcome : Say(Outcome.Wrong, $"no gradient of {string.Join(", ", missing)}");
    }

    private Outcome Same(Dictionary<string, Tensor> first, Dictionary<string, Tensor> other, LossForm form)
    {
        foreach ((string name, Tensor value) in first)
        {
            double[] a = Reals.Of(value), b = Reals.Of(other[name]);
            double scale = a.Select(Math.Abs).DefaultIfEmpty(0).Max();
            double tolerance = Math.Max(name == RandomProjection.Loss ? 1 : 0, scale) * (HalfPrecision.IsHalf(value.ElementType) ? 1e-2 : 1e-4);
            if (a.Zip(b, (x, y) => Math.Abs(x - y)).Any(d => d > tolerance))
            {
                return Say(Outcome.Wrong, $"{name} differs with the loss written as {form}");
            }
        }

        return Outcome.Right;
    }

    /// <summary>What the verb writes, read again and run.</summary>
    private Dictionary<string, Tensor> Gradients(RandomProjection projection, LossForm form, string[]? withRespectTo)
    {
        string model = Path.Combine(scratch, "model.onnx"), gradient = Path.Combine(scratch, "gradient.onnx");
        using (FileStream stream = File.Create(model))
        {
            projection.AppendTo(folder.Proto, folder.Opset, form).WriteTo(stream);
        }

        Verbs.Gradient(model, gradient, null, withRespectTo, new RunOptions(null, null, _ => { }, _ => { }, CancellationToken.None));
        using var runtime = new RuntimeModel(ModelProto.Parser.ParseFrom(File.ReadAllBytes(gradient)));
        return runtime.Run(folder.Inputs);
    }

    /// <summary>Some inner values of the main graph with what they are.</summary>
    private Dictionary<string, Tensor> InnerOf(Dictionary<string, Tensor> outputs)
    {
        string[] names = [.. folder.Proto.Graph.Node.SelectMany(n => n.Output).Where(o => o.Length > 0 && !outputs.ContainsKey(o) && folder.Proto.Graph.Output.All(g => g.Name != o))];
        if (names.Length == 0)
        {
            return [];
        }

        ModelProto exposed = folder.Proto.Clone();
        exposed.Graph.Output.AddRange(names.Select(n => new ValueInfoProto { Name = n }));
        using var runtime = new RuntimeModel(exposed);
        (string Key, Tensor Value)[] floats = [.. runtime.Run(folder.Inputs).Where(r => names.Contains(r.Key) && ElementType.IsFloating(r.Value.ElementType)).Select(r => (r.Key, r.Value))];
        new Random(3).Shuffle(floats);
        return floats.Take(InnerValues).ToDictionary(f => f.Key, f => f.Value);
    }

    private OnnxModel Lowered()
    {
        using var model = new OnnxModel(folder.Proto, "", folder.Name);
        IEnumerable<(string Name, TensorType Type)> declared = folder.Proto.Graph.Input.Concat(folder.Proto.Graph.ValueInfo).Concat(folder.Proto.Graph.Output).Select(v => (v.Name, TensorType.Read(v.Type)));
        IEnumerable<(string, TensorType)> weights = folder.Proto.Graph.Initializer.Select(i => (i.Name, new TensorType(i.DataType, [.. i.Dims.Select(Dimension.Of)])));
        return GraphLowering.Lower(model, declared.Concat(weights).GroupBy(t => t.Item1).ToDictionary(g => g.Key, g => g.Last().Item2));
    }

    private static bool Equal(Dictionary<string, Tensor> a, Dictionary<string, Tensor> b) => a.All(o => o.Value.Bytes.Span.SequenceEqual(b[o.Key].Bytes.Span));

    private static Outcome Worst(Outcome a, Outcome b) => (Outcome)Math.Max((int)a, (int)b);

    private Outcome Say(Outcome outcome, string note)
    {
        notes.Add($"{outcome}: {note}");
        return outcome;
    }
}
